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

# What cannot be saved after the training does not cost the checkpoint; then the training is only saved. (That it can be
# is checked first, so the folder goes meanwhile.)
mkdir "$folder/gone"
train --checkpoint "$folder/checkpoint" --save "$folder/gone/a.safetensors" 2>/dev/null &
process=$!
i=0
while [ ! -e "$folder/checkpoint.lock" ] && [ $i -lt 600 ]; do
  i=$((i + 1))
  sleep 0.05
done
rm -r "$folder/gone"
if wait $process; then echo "a file in a folder that is gone was saved" >&2; exit 1; fi
[ -e "$folder/checkpoint" ] || { echo "the checkpoint went before the model was saved" >&2; exit 1; }
if "$program" --model seed --dataset synthetic --epochs 1 --quiet --seed 7 --checkpoint "$folder/checkpoint" \
  >/dev/null 2>"$folder/error"; then
  echo "a checkpoint goes on to fewer epochs than it has" >&2; exit 1
fi
grep -q "has done 12 epochs already, but only 1" "$folder/error" || { cat "$folder/error" >&2; exit 1; }
[ -e "$folder/checkpoint" ] || { echo "--epochs 1 removed the checkpoint" >&2; exit 1; }
train --checkpoint "$folder/checkpoint" --save "$folder/late.safetensors"
cmp "$folder/whole.safetensors" "$folder/late.safetensors"
[ ! -e "$folder/checkpoint" ] || { echo "the checkpoint stayed" >&2; exit 1; }

echo "killed $killed times; all $times trainings ended as the one that was left alone"
[ "$killed" -gt 0 ]
