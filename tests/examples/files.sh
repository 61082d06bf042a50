#!/bin/sh
# files.sh PRETRAINED_CNN MODELS: the bundled parameters are read, written in every format that was built in, and read again.
set -eu
program=$1
models=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

complain() {
  echo "FAILED: $*" >&2
  failed=1
}
test_line() { "$program" --dataset synthetic --quiet --load "$1" ${2:+--save "$2"} | grep '^Test'; }

[ "$(wc -c <"$models/mnist_cnn.safetensors")" -le 600000 ] || complain "the bundled model is larger than 600 kB"
wanted=$(test_line "$models/mnist_cnn.safetensors")
for ending in safetensors keras h5 weights.h5; do
  if ! "$program" --dataset synthetic --quiet --load "$models/mnist_cnn.safetensors" --save "$folder/a.$ending" >/dev/null \
    2>"$folder/error"; then
    grep -q "was built without" "$folder/error" || complain "--save a.$ending: $(cat "$folder/error")"
    continue
  fi
  [ "$(test_line "$folder/a.$ending")" = "$wanted" ] || complain "a.$ending gives other results"
done
for arguments in "--save $folder/a.pb" "--load $folder/a.pb" "--load $folder/none.safetensors" "--save $folder/no/a.safetensors"; do
  # shellcheck disable=SC2086
  if "$program" --dataset synthetic --quiet --epochs 1 $arguments >/dev/null 2>"$folder/error"; then
    complain "$arguments is accepted"
  fi
  grep -qE "must end with .safetensors|No such file" "$folder/error" || complain "$arguments: $(cat "$folder/error")"
done
# What is no file is neither waited for nor replaced, and is there afterwards.
mkfifo "$folder/fifo.safetensors"
ln -s /dev/null "$folder/null.safetensors"
for arguments in "--load $folder/fifo.safetensors" "--save $folder/fifo.safetensors" "--json $folder/fifo.safetensors" \
  "--load $folder/null.safetensors" "--save $folder/null.safetensors" "--json /dev/null"; do
  # shellcheck disable=SC2086
  if timeout 60 "$program" --dataset synthetic --quiet --epochs 1 $arguments >/dev/null 2>"$folder/error"; then
    complain "$arguments is accepted"
  fi
  grep -qE "not a file, but a (FIFO|device)" "$folder/error" || complain "$arguments: $(cat "$folder/error")"
done
[ -p "$folder/fifo.safetensors" ] && [ -c /dev/null ] || complain "a FIFO or a device was replaced"
# A header that claims to be longer than any file.
printf '\377\377\377\377\377\377\377\177{' >"$folder/long.safetensors"
"$program" --dataset synthetic --quiet --load "$folder/long.safetensors" >/dev/null 2>"$folder/error" &&
  complain "a damaged file is read"
grep -q "cut off" "$folder/error" || complain "a damaged file: $(cat "$folder/error")"
exit $failed
