# Functions and names of all scripts. Sourced by each of them.
# shellcheck shell=sh

# shellcheck disable=SC2034 # used by the scripts that source this
repo=$(cd "$(dirname "$0")/.." && pwd)

say() { printf '%s\n' "$*"; }
die() {
    printf '%s: %s\n' "$(basename "$0")" "$*" >&2
    exit 1
}

# The root folder of the private Asterisk that the tests and the demo run; see scripts/sandbox.
sandbox_root() {
    printf '%s\n' "${ASTERISK_SANDBOX:-${XDG_CACHE_HOME:-${HOME:?}/.cache}/chan_websocket/sandbox}"
}

# A text that is in every build of this module and in no other, which distinguishes ours from the C module. It is the
# module's description in include/shim.c.
module_marker='Media over WebSocket channel driver (Rust)'

is_ours() { grep -qaF "$module_marker" "$1"; }
