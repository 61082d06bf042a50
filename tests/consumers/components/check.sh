#!/bin/sh
# check.sh CMAKE SOURCE FOLDER COMPONENTS: installs digitnet without examples, and asks for components and for the importer.
set -eu
rm -rf "$3"
"$1" -S "$2" -B "$3/build" -DDIGITNET_BUILD_EXAMPLES=OFF -DDIGITNET_BUILD_TESTS=OFF >/dev/null
"$1" --install "$3/build" --prefix "$3/installed" >/dev/null
if "$1" -S "$(dirname "$0")" -B "$3/consumer" -DCMAKE_PREFIX_PATH="$3/installed" -DCOMPONENTS="$4" >"$3/said" 2>&1; then
  echo "An importer was found that is not there"
  exit 1
fi
# CMake breaks lines where it likes.
tr -s ' \n' ' ' <"$3/said" >"$3/line"
grep -q "import_keras, which this digitnet was built without" "$3/line" || { cat "$3/said"; exit 1; }
