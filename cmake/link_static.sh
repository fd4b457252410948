#!/bin/bash
# Runs the link command that it is given, with every shared library replaced by the static one beside it: the CMake files of
# packages name shared libraries only. For RULE_LAUNCH_LINK.
# usage: link_static.sh COMPILER ARGUMENT...
set -euo pipefail
command=()
archives=()
for argument in "$@"; do
  case $argument in
    -Wl,-rpath*) continue ;;
    /*.so | /*.so.*)
      static=${argument%%.so*}.a
      if [[ ! -f $static ]]; then
        echo "link_static.sh: there is no static library $static; install it, or do without this target" >&2
        exit 1
      fi
      argument=$static
      ;;
  esac
  if [[ $argument == *.a ]]; then
    archives+=("$argument")
  else
    command+=("$argument")
  fi
done
exec "${command[@]}" -static -Wl,--start-group "${archives[@]}" -lelf -lz -Wl,--end-group
