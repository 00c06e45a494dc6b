# What the scripts that run gates have in common; sourced, from the folder above.
#
#   begin_gates     a folder for what is made on the way, `$scratch`, gone at the end
#   gate, skip      run one thing, or say aloud that it does not run
#   end_gates       the summary; its status is that of the whole
#   within, has, component, program, has_target, debian_rust
#                   help for gates
# shellcheck shell=bash

begin_gates() {
    exec </dev/null
    export CI=true CARGO_TERM_COLOR=never
    # Where a test failed is enough; all that a debugger would want takes a fifth of the builds' time.
    export CARGO_PROFILE_DEV_DEBUG=line-tables-only CARGO_PROFILE_TEST_DEBUG=line-tables-only
    target=${CARGO_TARGET_DIR:-target}
    mkdir -p "$target"
    target=$(cd "$target" && pwd)
    scratch=$(mktemp -d)
    trap 'rm -rf "$scratch"' EXIT
    passed=0
    failed=()
    touch "$scratch/skipped"
}

# gate NAME COMMAND...: the command in a shell of its own, under `set -e`, timed.
gate() {
    local name=$1 begin=$SECONDS status=0
    shift
    printf '\n=== %s\n' "$name"
    set +e
    (
        set -e
        "$@"
    )
    status=$?
    set -e
    if [ "$status" -eq 0 ]; then
        passed=$((passed + 1))
        printf -- '--- %s: passed in %s s\n' "$name" $((SECONDS - begin))
    else
        failed+=("$name")
        printf -- '--- %s: FAILED (exit %s) after %s s\n' "$name" "$status" $((SECONDS - begin))
    fi
}

# skip WHAT: said aloud now, and again at the end. (A file, as gates are shells of their own.)
skip() {
    printf 'SKIPPED: %s\n' "$1"
    printf '%s\n' "$1" >>"$scratch/skipped"
}

end_gates() {
    local name
    printf '\n%s s in all\n' "$SECONDS"
    sed 's/^/skipped: /' "$scratch/skipped"
    for name in ${failed[@]+"${failed[@]}"}; do
        printf 'FAILED: %s\n' "$name"
    done
    printf '%s passed, %s failed\n' "$passed" "${#failed[@]}"
    [ "${#failed[@]}" -eq 0 ]
}

# within SECONDS COMMAND...: bounded, killed if it does not listen.
within() {
    timeout -k 10 "$@"
}

has() {
    command -v "$1" >/dev/null
}

# The pinned toolchain comes by itself (rust-toolchain.toml), but perhaps without its components.
component() {
    if cargo "$1" --version >/dev/null 2>&1; then
        return
    fi
    echo "cargo $1 is missing: installing the component $2"
    within 300 rustup component add "$2"
    cargo "$1" --version
}

# A program, or the Debian package that has it.
program() {
    if has "$1"; then
        return
    fi
    echo "$1 is missing: installing the package $2"
    if ! has apt-get || [ "$(id -u)" -ne 0 ]; then
        echo "please install $2: this is not a Debian machine, or you are not root" >&2
        return 1
    fi
    within 300 apt-get update -q
    within 300 apt-get install -y -q "$2"
}

# A target of rustup, installed if it can be had.
has_target() {
    has rustup || return 1
    rustup target list --installed 2>/dev/null | grep -qx "$1" ||
        within 300 rustup target add "$1"
}

# Debian's own compiler, which carries the sources of the library.
debian_rust() {
    if [ ! -e /usr/lib/rustlib/src ] && [ "$(id -u)" -eq 0 ] && has apt-get; then
        within 300 apt-get update -q
        within 600 apt-get install -y -q rustc-web cargo-web rust-web-src
    fi
    [ -e /usr/lib/rustlib/src ] || {
        echo "please install the packages rustc-web cargo-web rust-web-src" >&2
        return 1
    }
}
