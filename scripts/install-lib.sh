# Paths that install and uninstall share. Sourced after lib.sh.
# shellcheck shell=sh
#
# DESTDIR      a folder to install into as if it were /, for packaging: nothing outside it is touched
# DPKG_ROOT    another system's root folder: like DESTDIR, but with that system's asterisk.conf and package database
# MODULES_DIR  the folder of Asterisk's modules; detected by default
# ASTETCDIR    the folder of Asterisk's configuration; detected by default
# ASTDATADIR   the folder of Asterisk's data, including its documentation; detected by default

DESTDIR=${DESTDIR:-}
DPKG_ROOT=${DPKG_ROOT:-}
[ -z "$DESTDIR" ] || [ -z "$DPKG_ROOT" ] || die "either DESTDIR or DPKG_ROOT, not both"
for variable in DESTDIR DPKG_ROOT MODULES_DIR ASTETCDIR ASTDATADIR; do
    eval "value=\${$variable:-}"
    case $value in
    "" | /*) ;;
    *) die "$variable must be an absolute path, not '$value'" ;;
    esac
done
DESTDIR=${DESTDIR%/} DPKG_ROOT=${DPKG_ROOT%/}
# The prefix of every path that is written to.
prefix=$DESTDIR$DPKG_ROOT

# The option $1 of [directories] in asterisk.conf. With "template" as $2, that of the section `[directories](!)` in
# Debian's and the sample's asterisk.conf, which Asterisk does not read; it shows the compiled-in value.
asterisk_conf() {
    for file in "$DPKG_ROOT/etc/asterisk/asterisk.conf" "$DPKG_ROOT/usr/local/etc/asterisk/asterisk.conf"; do
        [ -f "$file" ] || continue
        awk -v option="$1" -v kind="${2:-}" '
            { sub(/;.*/, "") }
            /^[ \t]*\[/ { here = tolower($0) ~ /^[ \t]*\[directories\]/ && (/\(!\)/ ? "template" : "") == kind; next }
            here && match($0, /=>?/) {
                name = substr($0, 1, RSTART - 1); value = substr($0, RSTART + RLENGTH)
                gsub(/^[ \t]+|[ \t\r]+$/, "", name); gsub(/^[ \t]+|[ \t\r]+$/, "", value)
                if (tolower(name) == option) found = value
            }
            END { print found }
        ' "$file"
        return
    done
}

# The $1 directory that the running Asterisk reports.
running_asterisk() {
    [ -n "$DPKG_ROOT" ] || asterisk -rx 'core show settings' 2>/dev/null | sed -n "s|^ *$1 directory: *||p"
}

pkg_config() {
    [ -n "$DPKG_ROOT" ] || pkg-config --variable="$1" asterisk 2>/dev/null || :
}

# Those folders of $@ that exist.
existing() {
    for dir; do
        [ ! -d "$dir" ] || say "${dir#"$DPKG_ROOT"}"
    done
}

find_modules_dir() {
    for dir in "${MODULES_DIR:-}" "$(running_asterisk Module)" "$(asterisk_conf astmoddir)" "$(pkg_config moddir)"; do
        [ -z "$dir" ] || {
            say "$dir"
            return
        }
    done
    dir=$(asterisk_conf astmoddir template)
    if [ -n "$dir" ] && [ -d "$DPKG_ROOT$dir" ]; then
        say "$dir"
        return
    fi
    found=$(existing "$DPKG_ROOT"/usr/lib/*/asterisk/modules "$DPKG_ROOT"/usr/lib/asterisk/modules \
        "$DPKG_ROOT"/usr/lib64/asterisk/modules "$DPKG_ROOT"/usr/local/lib/asterisk/modules \
        "$DPKG_ROOT"/usr/local/lib64/asterisk/modules "$DPKG_ROOT"/opt/asterisk/lib/asterisk/modules)
    case $(printf '%s' "$found" | grep -c .) in
    1) say "$found" ;;
    0) die "found no Asterisk here (no asterisk.conf, no pkg-config, none of the usual places):" \
        "say where it keeps its modules with MODULES_DIR=<folder>" ;;
    *) die "more than one folder of Asterisk modules here; choose with MODULES_DIR=<folder>:" $found ;;
    esac
}

find_etc_dir() {
    for dir in "${ASTETCDIR:-}" "$(running_asterisk Configuration)" "$(asterisk_conf astetcdir)" "$(pkg_config etcdir)" \
        "$(existing "$DPKG_ROOT/etc/asterisk" "$DPKG_ROOT/usr/local/etc/asterisk" | head -n 1)"; do
        [ -z "$dir" ] || {
            say "$dir"
            return
        }
    done
    say /etc/asterisk
}

# Prints nothing if this Asterisk has no documentation.
find_data_dir() {
    for dir in "${ASTDATADIR:-}" "$(running_asterisk Data)" "$(asterisk_conf astdatadir)"; do
        [ -z "$dir" ] || {
            say "$dir"
            return
        }
    done
    for dir in "$(asterisk_conf astdatadir template)" /usr/share/asterisk /var/lib/asterisk /usr/local/share/asterisk \
        /usr/local/var/lib/asterisk /opt/asterisk/var/lib/asterisk; do
        [ -z "$dir" ] || [ ! -d "$DPKG_ROOT$dir/documentation" ] || {
            say "$dir"
            return
        }
    done
}

modules_dir=$(find_modules_dir)
etc_dir=$(find_etc_dir)
data_dir=$(find_data_dir)
modules_dir=${modules_dir%/} etc_dir=${etc_dir%/} data_dir=${data_dir%/}

name=$modules_dir/chan_websocket.so
target=$prefix$name
# The folder for a module that no package owns. It is outside the modules folder, where Asterisk loads every *.so by
# default.
backup_dir=$prefix$modules_dir.before-chan_websocket
backup=$backup_dir/chan_websocket.so
config=$prefix$etc_dir/chan_websocket.conf
sample=$repo/configs/chan_websocket.conf.sample
# For Asterisk's own help. Separate from Asterisk's documentation, which a package owns.
documentation=${data_dir:+$prefix$data_dir/documentation/thirdparty/chan_websocket-en_US.xml}
our_documentation=$repo/docs/chan_websocket-en_US.xml

# Recognises the sample by its first line.
is_our_sample() { [ "$(head -n 1 "$1" 2>/dev/null)" = "$(head -n 1 "$sample")" ]; }

has_dpkg() {
    [ -z "$DESTDIR" ] && [ -d "$DPKG_ROOT/var/lib/dpkg" ] && command -v dpkg-divert >/dev/null
}

# The package that owns the file name of the module; empty if none does.
owner() {
    has_dpkg || return 0
    LC_ALL=C dpkg-query --root="${DPKG_ROOT:-/}" -S "$name" 2>/dev/null |
        sed -n '/^diversion by\|^local diversion/d; s/: .*//p' | head -n 1
}

# Prints who made the diversion of the file name: LOCAL (this script, or the administrator), a package, or nothing.
diverted_by() {
    ! has_dpkg || dpkg-divert --root "${DPKG_ROOT:-/}" --listpackage "$name"
}

divert() { dpkg-divert --root "${DPKG_ROOT:-/}" --local --divert "$name.distrib" --quiet "$@" "$name"; }

# Whether the installed module is a build of ours.
ours_installed() { [ -f "$target" ] && is_ours "$target"; }

# Moves the installed module to $backup_dir; one that is already there gets a number.
keep_aside() {
    mkdir -p "$backup_dir"
    mv -T --backup=numbered "$target" "$backup"
    say "kept aside:  $backup"
}

# Prints what modules.conf does with the module: noload, absent (neither named, nor loaded automatically), or nothing.
modules_conf() {
    [ ! -f "$prefix$etc_dir/modules.conf" ] || awk '
        { sub(/;.*/, ""); gsub(/[ \t\r]/, ""); sub(/=>/, "=") }
        $0 ~ /^autoload=(no|false|off|0|n|f)$/ { by_name = 1 }
        $0 ~ /^(load|preload|require|preload-require)=chan_websocket(\.so)?$/ { named = 1 }
        $0 ~ /^noload=chan_websocket(\.so)?$/ { refused = 1 }
        END { if (refused) print "noload"; else if (by_name && !named) print "absent" }
    ' "$prefix$etc_dir/modules.conf"
}
