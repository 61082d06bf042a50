#!/bin/sh
# mnist_from_disk trains on what it wrote, and leaves nothing.
set -eu
program=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
"$program" --times 2 --folder "$folder/data" >"$folder/out"
grep -q "120000 images, 0.1 GB" "$folder/out" || { cat "$folder/out"; exit 1; }
# More than nine of ten test images.
grep -Eq "at most [0-9]+ MiB in memory; 9[0-9]\.[0-9]+ % of the test images" "$folder/out" || { cat "$folder/out"; exit 1; }
[ ! -e "$folder/data" ] || { echo "data is left behind"; exit 1; }
if "$program" --times 0 2>"$folder/out"; then echo "0 copies were made"; exit 1; fi
grep -q "must be at least 1" "$folder/out"
if "$program" --times 100000000 --folder "$folder/data" 2>"$folder/out" >/dev/null; then echo "the disk is large"; exit 1; fi
grep -Eq "MiB left, but [0-9]+ are needed" "$folder/out" || { cat "$folder/out"; exit 1; }
[ ! -e "$folder/data" ] || { echo "data is left behind"; exit 1; }
