#!/bin/sh
# symbols.sh OBJECT MEDIAN LONGEST: names in debuggers and profilers stay legible; no function's may be longer than LONGEST
# characters, and half of them must have at most MEDIAN.
set -eu
nm -C --defined-only "$1" | sed -n 's/^[0-9a-f]* [TtWw] //p' | awk '{print length}' | sort -n |
  awk -v median="$2" -v longest="$3" '{ l[NR] = $1 } END {
    m = l[int((NR + 1) / 2)]
    printf "%d functions: median %d characters (at most %d), p90 %d, longest %d (at most %d)\n", NR, m, median, l[int(NR * 0.9)], l[NR], longest
    exit NR == 0 || m > median || l[NR] > longest }'
