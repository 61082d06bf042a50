#!/bin/sh
# command_line.sh MNIST_ANN MNIST_CNN: flags, results and errors of the example programs, on synthetic digits.
set -eu
ann=$1
cnn=$2
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
failed=0

complain() {
  echo "FAILED: $*" >&2
  failed=1
}

# refused SENTENCE PROGRAM ARGUMENT...: the program must end with an error that says the sentence, on few lines, and leave
# no file behind.
refused() {
  sentence=$1
  shift
  if "$@" >"$folder/out" 2>"$folder/err"; then complain "$* succeeds"; fi
  cat "$folder/out" "$folder/err" >"$folder/all"
  grep -qF -- "$sentence" "$folder/all" || complain "$* does not say '$sentence' but '$(cat "$folder/all")'"
  grep -qiE 'terminate|abort|what\(\)|segmentation' "$folder/all" && complain "$* crashes"
  [ "$(wc -l <"$folder/err")" -le 3 ] || complain "$* says too much"
  rm -f "$folder/out" "$folder/err" "$folder/all"
  [ -z "$(ls -A "$folder")" ] || complain "$* leaves $(ls -A "$folder")"
}

refused "at least 1 epoch, but 0" "$ann" --dataset synthetic --epochs 0
refused "The batch size must be at least 1, but is 0" "$ann" --dataset synthetic --batch-size 0
for number in -1 1e3 5x 0x10 +1 " 1" "" 18446744073709551616; do
  for flag in epochs batch-size threads seed; do
    refused "--$flag" "$ann" --dataset synthetic "--$flag=$number"
  done
done
for number in nan inf -0.1 0,05 5x "" 1e99; do
  refused "--learning-rate" "$ann" --dataset synthetic "--learning-rate=$number"
done
refused "must be a number above 0, but is 0" "$ann" --dataset synthetic --learning-rate 0
refused "may be 1000000000 at most" "$ann" --dataset synthetic --epochs 18446744073709551615
refused "No such file or directory" "$ann" --dataset synthetic --checkpoint "$folder/missing/checkpoint"
refused "is not a file, but a folder" "$ann" --dataset synthetic --checkpoint /
refused "--dataset: kmnist not in {mnist,fashion-mnist,synthetic,synthetic-to-mnist}" "$ann" --dataset kmnist
refused "--model: resnet not in" "$cnn" --model resnet
refused "--precision: float16 not in {float32,bfloat16}" "$ann" --precision float16
refused "--colour" "$ann" --colour red
refused "--epochs" "$ann" --epochs many
refused "cannot be written: No such file or directory" "$ann" --dataset synthetic --json "$folder/missing/a.json"
refused "has no train-images-idx3-ubyte.gz" "$cnn" --data "$folder/missing"
refused "1 to 1024 threads, but 0" "$ann" --dataset synthetic --threads 0
refused "The validation split must be at least 0 and below 1" "$ann" --dataset synthetic --validation-split 1.5

# A file that cannot be written, though its folder can be read. (Root may write anywhere.)
if [ "$(id -u)" != 0 ]; then
  mkdir "$folder/locked"
  chmod a-w "$folder/locked"
  if "$ann" --dataset synthetic --json "$folder/locked/a.json" 2>"$folder/err"; then complain "a locked folder is written to"; fi
  grep -q "Permission denied" "$folder/err" || complain "a locked folder is not named"
  chmod u+w "$folder/locked"
  rm -rf "$folder/locked" "$folder/err"
fi

"$ann" --help >"$folder/help"
for flag in load save checkpoint model dataset data epochs batch-size learning-rate validation-split precision threads seed json quiet help; do
  grep -q -- "--$flag" "$folder/help" || complain "--help does not name --$flag"
done

"$ann" --model seed --dataset synthetic --epochs 2 --batch-size 100 --validation-split 0.1 --threads 2 --seed 7 \
  --learning-rate 0.1 --json "$folder/ann.json" >"$folder/out"
for part in 'Model: "seed"' 'Total params: 79,510' 'Epoch 2/2' 'val_accuracy' 'macro avg' 'true \ predicted'; do
  grep -qF -- "$part" "$folder/out" || complain "mnist_ann does not print '$part'"
done
for key in '"model": "seed"' '"dataset": "synthetic"' '"parameters": 79510' '"seed": 7' '"threads": 2' '"batch_size": 100' \
  '"epoch": 2' '"images_per_second"' '"val_accuracy": 0.' '"train_seconds"' '"test_loss"' '"test_accuracy": 0.' '"peak_rss_mib"'; do
  grep -qF -- "$key" "$folder/ann.json" || complain "the JSON has no $key"
done
# A training that diverges ends with a word and a status.
if "$ann" --model linear --dataset synthetic --epochs 1 --quiet --learning-rate 3e38 --save "$folder/nan.safetensors" \
  >"$folder/out" 2>"$folder/err"; then complain "a diverged training succeeds"; fi
grep -q "training has diverged" "$folder/err" || complain "a diverged training says nothing"
[ ! -e "$folder/nan.safetensors" ] || complain "a diverged training is saved"
rm -f "$folder/err"
"$ann" --model linear --dataset synthetic --epochs 1 --quiet >"$folder/out"
if grep -q 'Epoch\|Model' "$folder/out"; then complain "--quiet is not"; fi
"$cnn" --model seed --dataset synthetic --epochs 1 --batch-size 250 --quiet --json "$folder/cnn.json" >"$folder/out"
grep -q '"parameters": 121930' "$folder/cnn.json" || complain "the seed CNN has other than 121,930 parameters"
grep -qE '"test_accuracy": 0.9|"test_accuracy": 1' "$folder/cnn.json" || complain "the seed CNN does not learn"

# The same numbers in another format: a model nearly as that in float32, but not the same.
for precision in float32 bfloat16; do
  "$ann" --model seed --dataset synthetic --epochs 1 --seed 7 --quiet --precision $precision --json "$folder/$precision.json" \
    >"$folder/out"
  grep -q "\"precision\": \"$precision\"" "$folder/$precision.json" || complain "the JSON does not say $precision"
  grep -o '"test_loss": [0-9.]*' "$folder/$precision.json" >"$folder/$precision.loss"
done
cmp -s "$folder/float32.loss" "$folder/bfloat16.loss" && complain "--precision changes nothing"
loss() { cut -d' ' -f2 "$folder/$1.loss"; }
awk -v a="$(loss float32)" -v b="$(loss bfloat16)" 'BEGIN { exit !(b > 0 && b < 1.05 * a && b > 0.95 * a) }' ||
  complain "in bfloat16 the loss is $(loss bfloat16), in float32 $(loss float32)"

# Without network and data the programs say so and go on with synthetic digits.
if env -u DIGITNET_DATA XDG_CACHE_HOME="$folder/cache" https_proxy=http://127.0.0.1:1 http_proxy=http://127.0.0.1:1 \
  "$ann" --model linear --epochs 1 --quiet --json "$folder/fallback.json" >"$folder/out" 2>"$folder/err"; then
  if grep -q '"dataset": "synthetic"' "$folder/fallback.json"; then
    grep -q "Training on synthetic digits instead" "$folder/err" || complain "the fallback is not announced"
  fi
else
  complain "without data the program ends with: $(cat "$folder/err")"
fi

exit $failed
