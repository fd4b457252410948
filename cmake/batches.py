#!/usr/bin/env python3
"""Sorts the sources of a library into batches that can each be compiled as one file.

Two sources that declare one name in anonymous namespaces (or as a macro) come into different batches. Reads text, not C++: the
house style puts such declarations at the start of a line. Names that differ only in their parameters are kept apart too.
usage: batches.py BATCH_MAX FILE...     prints the batch number of each file, as a CMake list
"""

import re
import sys

NOT_NAMES = {'if', 'for', 'while', 'switch', 'return', 'template', 'requires', 'decltype', 'alignas', 'defined', '__attribute__',
             'ABSL_GUARDED_BY', 'operator', 'sizeof', 'static_assert', 'noexcept'}


def names_of(path):
    names = set()
    inside = False
    with open(path, encoding='utf-8') as file:
        for line in file:
            if match := re.match(r'#define\s+(\w+)', line):
                names.add(match[1])
            elif re.match(r'namespace\s*\{', line):
                inside = True
            elif re.match(r'\}\s*//\s*namespace\s*$', line):
                inside = False
            elif (inside or line.startswith('static ')) and re.match(r'[A-Za-z_\[]', line):
                names |= declared_in(line)
    return names


def declared_in(line):
    if match := re.match(r'(?:typedef\s+)?(?:class|struct|union|enum(?:\s+class)?|using|namespace)\s+(\w+)', line):
        return {match[1]}
    code = re.sub(r'<[^()]*>', '', line)  # template arguments
    for match in re.finditer(r'(\w+)\s*(?=[(=;{\[])', code):
        if match[1] not in NOT_NAMES and not match[1].isdigit():
            return {match[1]}
    return set()


def main():
    batch_max = int(sys.argv[1])
    batches = []  # [names, count]
    answer = []
    for path in sys.argv[2:]:
        names = names_of(path)
        for number, batch in enumerate(batches):
            if batch[1] < batch_max and not names & batch[0]:
                break
        else:
            number = len(batches)
            batches.append([set(), 0])
        batches[number][0] |= names
        batches[number][1] += 1
        answer.append(str(number))
    print(';'.join(answer), end='')


if __name__ == '__main__':
    main()
