#!/bin/sh
set -e
here=$(dirname "$(readlink -f "$0")")
exec "$here/../../node_modules/.bin/node" "$here/node_modules/typescript-native/bin/tsc" "$@"
