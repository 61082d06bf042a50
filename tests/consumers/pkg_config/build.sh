#!/bin/sh
# build.sh COMPILER PREFIX OUTPUT: compiles and runs the consumer with what pkg-config says.
set -eu
PKG_CONFIG_PATH=$(find "$2" -name pkgconfig -type d)
export PKG_CONFIG_PATH
# shellcheck disable=SC2046
"$1" -O2 "$(dirname "$0")/../consumer.cpp" $(pkg-config --cflags --libs digitnet) -o "$3"
exec "$3"
