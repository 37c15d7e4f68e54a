#!/bin/sh
# Workers started by a test inherit these flags, so that they too run sources.
set -e
here=$(dirname "$(readlink -f "$0")")
exec "$here/../../node_modules/.bin/node" \
  --experimental-vm-modules --no-warnings=ExperimentalWarning \
  --conditions=@polyvisor/source \
  "$here/node_modules/jest/bin/jest.js" "$@"
