#!/bin/sh
# --report and --tensorboard as a person uses them: report.sh MNIST_ANN
set -eu
ann=$1
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
fail() { echo "$*" >&2; exit 1; }

"$ann" --model linear --dataset synthetic --epochs 2 --quiet --report "$folder/report" --tensorboard "$folder/logs" \
  --json "$folder/results.json" >"$folder/output"
for file in report.html model_card.md samples.png predictions.png mistakes.png filters.png; do
  [ -s "$folder/report/$file" ] || fail "$file is missing"
done
grep -q "Report: $folder/report/report.html" "$folder/output" || fail "the report's place is not said"
ls "$folder"/logs/train/events.out.tfevents.* >/dev/null

# The page's numbers are those of --json.
number() { sed -n "s/^  \"$1\": \([^,]*\),*$/\1/p" "$folder/results.json"; }
for name in test_accuracy test_loss train_seconds images_per_second; do
  wanted=$(number $name)
  [ -n "$wanted" ] || fail "$name is not in the JSON file"
  sed -n 's/.*<data value="\([^"]*\)".*/\1/p' "$folder/report/report.html" |
    awk -v wanted="$wanted" '{ if (($1 - wanted) ^ 2 <= (1e-12 * wanted) ^ 2) found = 1 } END { exit !found }' ||
    fail "the page does not have the JSON file's $name, $wanted"
done

# A folder that cannot be made is said before the training.
: >"$folder/file"
if "$ann" --model linear --dataset synthetic --report "$folder/file/report" >"$folder/output" 2>&1; then
  fail "a folder below a file was accepted"
fi
grep -q "file/report cannot be made" "$folder/output" || fail "no reason was given: $(cat "$folder/output")"

# A disk that fills up while the report is written: the weights are there, and the message is clear.
set +e
(
  trap '' XFSZ
  ulimit -f 100
  exec "$ann" --model linear --dataset synthetic --epochs 1 --quiet --report "$folder/full" \
    --save "$folder/weights.safetensors" >"$folder/output" 2>&1
)
status=$?
set -e
[ "$status" = 1 ] || fail "exit status $status instead of 1: $(cat "$folder/output")"
grep -q "full/.* cannot be written: File too large" "$folder/output" || fail "no reason was given: $(cat "$folder/output")"
[ -s "$folder/weights.safetensors" ] || fail "the weights are lost"
[ ! -e "$folder/full/report.html" ] || fail "half a page was left"
"$ann" --model linear --dataset synthetic --load "$folder/weights.safetensors" --quiet >/dev/null || fail "the weights are damaged"
echo "reports: done"
