#!/bin/sh
# ranks.sh MPIRUN TRAIN: the program on several ranks prints what it prints alone, and whatever is wrong with one rank ends
# all within 10 s, with a sentence that names the rank.
set -eu
mpirun=$1
train=$2
error=$(mktemp)
trap 'rm -f "$error"' EXIT
# More ranks than cores, and root, as in a container, are OpenMPI's exceptions.
export OMPI_MCA_rmaps_base_oversubscribe=1 OMPI_ALLOW_RUN_AS_ROOT=1 OMPI_ALLOW_RUN_AS_ROOT_CONFIRM=1

for model in ann cnn; do
  alone=$("$train" $model)
  [ -n "$alone" ]
  for ranks in 1 2 3 4 8; do
    together=$("$mpirun" -n $ranks "$train" $model --mpi)
    [ "$together" = "$alone" ] || { echo "$model on $ranks ranks: $together instead of $alone" >&2; exit 1; }
  done
done

# fails FAULT RANK SENTENCE
fails() {
  begin=$(date +%s)
  if FAULT=$1 RANK=$2 timeout 60 "$mpirun" -n 3 "$train" cnn --mpi >/dev/null 2>"$error"; then
    echo "$1 on rank $2: the status is 0" >&2
    exit 1
  fi
  seconds=$(($(date +%s) - begin))
  grep -q "$3" "$error" || { echo "$1 on rank $2: no sentence \"$3\" in" >&2; cat "$error" >&2; exit 1; }
  [ $seconds -le 10 ] || { echo "$1 on rank $2: the ranks ended after $seconds s" >&2; exit 1; }
}
fails throw 2 "rank 2 of 3 ends all ranks: sample 100 is no sample"
fails throw 0 "rank 0 of 3 ends all ranks: sample 100 is no sample"
fails stop 1 "rank 1 of 3 has not answered for 3 s"
fails stop 0 "rank 0 of 3 has not answered for 3 s"
fails data 2 "Rank 2 differs from rank 0 in its data: 300 samples"
fails parameters 1 "Rank 1 differs from rank 0 in its parameters: checksum"
