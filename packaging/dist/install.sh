#!/bin/sh
# Installs the module of this folder into the Asterisk of this machine. Needs neither Rust nor make; run it as root.
#
#   ./install.sh                       where the Asterisk that runs says that its modules are, else where it is found
#   MODULES_DIR=<folder> ./install.sh  there; ASTETCDIR and ASTDATADIR name its configuration and its data folder
set -eu
here=$(cd "$(dirname "$0")" && pwd)

# What the dynamic loader does not find: a library, or the version of one.
missing=$(ldd "$here/chan_websocket.so" 2>&1 | sed -n '/not found/s/^[[:space:]]*//p; /not a dynamic executable/p')
[ -z "$missing" ] || {
    printf '%s\n' "install.sh: this module does not run here. It is built for $(basename "$here" | sed 's/.*-//'), and needs" \
        "glibc 2.34 or newer and OpenSSL 3 (libssl.so.3):" "$missing" >&2
    exit 1
}
CHAN_WEBSOCKET_MODULE=$here/chan_websocket.so UNINSTALL=${UNINSTALL:-$here/uninstall.sh} exec "$here/scripts/install"
