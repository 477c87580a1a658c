# What the scripts that make packages share. Sourced after lib.sh, defines names only.
# shellcheck shell=sh

# What packages of this tree are called. A version under development comes before its release; later commits come after
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

# The same commit gives the same package: every date in one is this.
use_source_date() {
    SOURCE_DATE_EPOCH=${SOURCE_DATE_EPOCH:-$(git -C "$repo" log -1 --format=%ct 2>/dev/null || date +%s)}
    export SOURCE_DATE_EPOCH
}

# Gives the folder $1 that date, whatever in it is younger.
set_source_date() {
    find "$1" -newermt "@$SOURCE_DATE_EPOCH" -exec touch -h -d "@$SOURCE_DATE_EPOCH" {} +
}

# The one that knows the module's architecture.
objcopy=${OBJCOPY:-objcopy}

# Takes out of the module $1 what only a debugger needs.
strip_module() { "$objcopy" --strip-unneeded --remove-section=.comment "$1"; }

# Puts the documentation and the example applications into the folder $1.
copy_documentation() {
    for file in README.md CHANGELOG.md CONTRIBUTING.md SECURITY.md docs examples/app.rs examples/python examples/node \
        examples/asterisk examples/grafana examples/prometheus; do
        mkdir -p "$1/$(dirname "$file")"
        cp -RL "$repo/$file" "$1/$(dirname "$file")"
    done
    find "$1" -name node_modules -prune -exec rm -rf {} + -o -name __pycache__ -prune -exec rm -rf {} +
    find "$1" -type f -exec chmod 644 {} +
}
