#!/bin/sh
# killed.sh MNIST_ANN [TIMES]: kills a training at random moments (kill -9) and starts it again; its end must be that of
# one that was left alone, bit for bit, and nothing else may stay behind.
set -eu
program=$1
times=${2:-2}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

train() { "$program" --model seed --dataset synthetic --epochs 12 --quiet --seed 7 "$@" >/dev/null; }

begin=$(date +%s%N)
train --save "$folder/whole.safetensors"
milliseconds=$((($(date +%s%N) - begin) / 1000000))
random=1
killed=0
i=0
while [ $i -lt "$times" ]; do
  i=$((i + 1))
  # Up to three kills before it may end.
  for kill in 1 2 3; do
    train --checkpoint "$folder/checkpoint" --save "$folder/killed.safetensors" &
    process=$!
    random=$(((random * 1103515245 + 12345) % 2147483648))
    sleep "$(printf '%d.%03d' $((random / 65536 % milliseconds / 1000)) $((random / 65536 % milliseconds % 1000)))"
    pkill -9 -P $process 2>/dev/null || true
    kill -9 $process 2>/dev/null || true
    if wait $process 2>/dev/null; then :; else killed=$((killed + 1)); fi
  done
  train --checkpoint "$folder/checkpoint" --save "$folder/killed.safetensors"
  cmp "$folder/whole.safetensors" "$folder/killed.safetensors"
  rm "$folder/killed.safetensors"
  [ "$(ls -A "$folder")" = whole.safetensors ] || { echo "left behind: $(ls -A "$folder")" >&2; exit 1; }
done
echo "killed $killed times; all $times trainings ended as the one that was left alone"
[ "$killed" -gt 0 ]
