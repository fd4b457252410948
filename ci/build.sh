# Sourced by ci/test and ci/nightly: configures and builds one build directory, quietly unless it fails.
# usage: build DIRECTORY "TARGETS" CMAKE-OPTION...   (empty TARGETS: all)

build() {
  local directory=$1 targets=$2
  shift 2
  local log=$directory/build.log
  mkdir -p "$directory"
  local options=(-S "$root" -B "$directory" -G Ninja -DCMAKE_BUILD_TYPE=Release -DORDEAL_FAST_BUILD=ON "$@")
  if command -v ccache >/dev/null; then
    export CCACHE_SLOPPINESS=pch_defines,time_macros  # or what uses a precompiled header is never a hit
    options+=(-DCMAKE_CXX_COMPILER_LAUNCHER=ccache -DCMAKE_C_COMPILER_LAUNCHER=ccache)
  fi
  echo "building ${directory#"$root"/} (log: ${log#"$root"/})"
  # shellcheck disable=SC2086  # targets is a list
  if ! { cmake "${options[@]}" && cmake --build "$directory" -j "$(nproc)" ${targets:+--target $targets}; } >"$log" 2>&1
  then
    echo "build of ${directory#"$root"/} failed; errors from $log:" >&2
    grep -n -E "error|Error|FAILED|undefined reference|No space|Killed" "$log" | head -n 30 >&2 || true
    tail -n 15 "$log" >&2
    return 1
  fi
}
