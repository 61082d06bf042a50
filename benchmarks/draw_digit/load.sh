#!/bin/sh
# How many predictions a second the API makes, and whether its memory stays flat.
# sh load.sh PROGRAM [SECONDS [CONNECTIONS]]
set -eu
program=$1
seconds=${2:-30}
connections=${3:-64}
folder=$(mktemp -d)
port=8099
"$program" --port $port >"$folder/log" &
server=$!
trap 'kill $server 2>/dev/null || :; rm -rf "$folder"' EXIT
until curl -sf http://127.0.0.1:$port/healthz >/dev/null; do sleep 0.1; done

# An image as clients write them: 28 x 28 numbers of four digits, a drawn 7.
awk 'BEGIN {
  for (y = 0; y < 28; ++y) {
    row = "["
    for (x = 0; x < 28; ++x) {
      ink = (y >= 5 && y < 8 && x > 6 && x < 21) || (y >= 8 && y < 24 && x > 19 - (y - 6) / 2 && x < 23 - (y - 6) / 2)
      row = row (x ? "," : "") (ink ? "0.9961" : "0")
    }
    rows = rows (y ? "," : "") row "]"
  }
  print "{\"instances\":[[" rows "]]}"
}' >"$folder/image.json"
curl -s http://127.0.0.1:$port/v1/models/digits:predict -d @"$folder/image.json"
cat >"$folder/predict.lua" <<LUA
local file = io.open("$folder/image.json")
wrk.method, wrk.path, wrk.body = "POST", "/v1/models/digits:predict", file:read("*a")
wrk.headers["Content-Type"] = "application/json"
LUA

figure() { curl -s http://127.0.0.1:$port/metrics | sed -n "s/^$1 //p"; }
memory() { echo "memory after $1 s: $(figure process_resident_memory_bytes | awk '{printf "%.1f MB", $1 / 1e6}')"; }
wrk -t 1 -c "$connections" -d 2 -s "$folder/predict.lua" http://127.0.0.1:$port/ >/dev/null
memory 2
wrk -t 1 -c "$connections" -d "$seconds" --latency -s "$folder/predict.lua" http://127.0.0.1:$port/ | grep -E 'requests in|Requests/sec|50%|99%|errors|Non-2xx' || :
memory "$seconds"
echo "images: $(figure digitnet_predictions_total), batches: $(figure digitnet_batches_total)"
