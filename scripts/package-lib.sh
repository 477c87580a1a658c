# Functions and names of the scripts that make packages. Sourced after lib.sh.
# shellcheck shell=sh

# The version of packages of this tree. A version under development sorts before its release; later commits sort after
# earlier ones.
package_version() {
    release=$(sed -n 's/^version = "\(.*\)"/\1/p' "$repo/Cargo.toml" | head -n 1)
    commit=$(TZ=UTC git -C "$repo" log -1 --format=%cd.%h --abbrev=7 --date=format-local:%Y%m%d%H%M%S 2>/dev/null) || commit=
    if [ -z "$commit" ] || [ "$(git -C "$repo" tag --points-at HEAD 2>/dev/null)" = "v$release" ]; then
        say "$release"
    else
        say "$release~git$commit"
    fi
}

# Uses the commit's date for every date in a package, so that the same commit gives the same package.
use_source_date() {
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct 2>/dev/null || date +%s)}
    export SOURCE_DATE_EPOCH
}

# Sets that date on everything in the folder $1 that is younger.
set_source_date() {
    find "$1" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# The objcopy for the module's architecture.
objcopy=${OBJCOPY:-objcopy}

# Removes from the module $1 what only a debugger needs.
strip_module() { "$objcopy" --strip-unneeded --remove-section=.comment "$1"; }

# Copies the documentation and the example applications into the folder $1.
copy_documentation() {
    for file in README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs examples/app.rs examples/python examples/node \
        examples/asterisk examples/grafana examples/prometheus; do
        mkdir -p "$1/$(dirname "$file")"
        cp -RL "$repo/$file" "$1/$(dirname "$file")"
    done
    find "$1" -name node_modules -prune -exec rm -rf {} + -o -name __pycache__ -prune -exec rm -rf {} +
    find "$1" -type f -exec chmod 644 {} +
}
