#!/bin/sh
# Removes what install.sh of this folder installed, and puts the module that was there before back. Run it as root, with
# the same variables.
set -eu
exec "$(cd "$(dirname "$0")" && pwd)/scripts/uninstall"
