#!/bin/sh
# killed.sh MPIRUN MNIST_ANN [TIMES]: kills a random rank of a training on four at a random moment (kill -9): all end
# within 10 s, and the training goes on with another number of ranks to the same bits. Ctrl-C loses nothing.
set -eu
mpirun=$1
program=$2
times=${3:-2}
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1
arguments="--model seed --dataset synthetic --epochs 4 --batch-size 512 --quiet --seed 7"

begin=$(date +%s%N)
"$mpirun" -n 4 "$program" --mpi $arguments --save "$folder/four.safetensors" >/dev/null
milliseconds=$((($(date +%s%N) - begin) / 1000000))
"$program" $arguments --save "$folder/whole.safetensors" >/dev/null
cmp "$folder/whole.safetensors" "$folder/four.safetensors"
random=${4:-1}
killed=0
next() {
  random=$(((random * 1103515245 + 12345) % 2147483648))
  number=$((random / 65536 % $1))
}
i=0
while [ $i -lt "$times" ]; do
  i=$((i + 1))
  rm -f "$folder/killed.safetensors"
  "$mpirun" -n 4 "$program" --mpi $arguments --checkpoint "$folder/checkpoint" --save "$folder/killed.safetensors" \
    >/dev/null 2>&1 &
  process=$!
  next $milliseconds
  sleep "$(printf '%d.%03d' $((number / 1000)) $((number % 1000)))"
  next 4
  victim=$(pgrep -f "^$program --mpi" | sed -n "$((number + 1))p")
  if [ -n "$victim" ] && kill -9 "$victim" 2>/dev/null; then
    killed=$((killed + 1))
    begin=$(date +%s)
    if wait $process; then
      # It had ended before.
      [ -e "$folder/killed.safetensors" ] || { echo "a rank was killed, but the status is 0" >&2; exit 1; }
    fi
    [ $(($(date +%s) - begin)) -le 10 ] || { echo "the other ranks went on for more than 10 s" >&2; exit 1; }
    if pgrep -f "^$program --mpi" >/dev/null; then echo "a rank lives on" >&2; exit 1; fi
  else
    wait $process || { echo "no rank was killed, but the status is not 0" >&2; exit 1; }
  fi
  next 3
  [ -e "$folder/killed.safetensors" ] || "$mpirun" -n $((number + 1)) "$program" --mpi $arguments \
    --checkpoint "$folder/checkpoint" --save "$folder/killed.safetensors" >/dev/null
  cmp "$folder/whole.safetensors" "$folder/killed.safetensors"
  rm -f "$folder/checkpoint" "$folder/checkpoint.lock"
done
# Ctrl-C: the training ends after the step, and the model is saved.
export OMPI_MCA_odls_base_sigkill_timeout=5
"$mpirun" -n 2 "$program" --mpi --model seed --dataset synthetic --epochs 10000 --batch-size 512 --quiet \
  --checkpoint "$folder/checkpoint" --save "$folder/interrupted.safetensors" >/dev/null 2>&1 &
process=$!
i=0
while [ ! -e "$folder/checkpoint" ] && [ $i -lt 1200 ]; do
  i=$((i + 1))
  sleep 0.05
done
kill -INT $process
wait $process || true
[ -e "$folder/interrupted.safetensors" ] || { echo "nothing was saved after Ctrl-C" >&2; exit 1; }

echo "killed $killed times; all $times trainings ended as the one that was left alone"
[ "$killed" -gt 0 ]
