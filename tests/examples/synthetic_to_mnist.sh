#!/bin/sh
# A network that has only seen drawn digits reads at least 85 % of MNIST's test images: synthetic_to_mnist.sh MNIST_CNN
set -eu
results=$(mktemp)
trap 'rm -f "$results"' EXIT
"$1" --dataset synthetic-to-mnist --epochs 3 --quiet --json "$results"
accuracy=$(sed -n 's/.*"test_accuracy": \([^,]*\),*/\1/p' "$results")
echo "MNIST's test images that are read correctly: $accuracy"
awk -v accuracy="$accuracy" 'BEGIN { exit !(accuracy >= 0.85) }'
