# Sourced by run and test: finds out what is missing, installs it where that is safe, and names it where it is not.
# shellcheck shell=bash

# The oldest versions that work. The first is also rust-version in Cargo.toml.
readonly rust_needed=1.89 postgres_needed=15

root=$(cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly root

say() { printf '%s\n' "$*" >&2; }

fail() {
    say "$@"
    exit 1
}

# Debian and Ubuntu, with the right to install.
can_install() {
    command -v apt-get >/dev/null && { [ "$(id -u)" = 0 ] || sudo -n true 2>/dev/null; }
}

as_root() {
    if [ "$(id -u)" = 0 ]; then "$@"; else sudo -n "$@"; fi
}

apt_install() {
    say "Installing: $*"
    # The output matters only when it goes wrong. It goes to standard error, so that ours stays clean.
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq update >&2
    as_root env DEBIAN_FRONTEND=noninteractive apt-get -qq -y install --no-install-recommends "$@" >&2
}

# Whether the PostgreSQL server programs in folder $1 are there and new enough.
usable_server() {
    local version
    [ -x "$1/initdb" ] && version=$("$1/postgres" --version 2>/dev/null) || return 1
    version=${version#*"(PostgreSQL) "}
    version=${version%%[!0-9]*}
    [ "${version:-0}" -ge "$postgres_needed" ]
}

# Looks where the daemon looks.
have_server() {
    local folder file
    if [ -n "${BELAY_PG_BIN:-}" ]; then
        usable_server "$BELAY_PG_BIN" || fail "BELAY_PG_BIN is $BELAY_PG_BIN, which does not hold initdb and postgres, version $postgres_needed or newer"
        return 0
    fi
    for file in postgres initdb; do
        if file=$(command -v "$file"); then
            usable_server "$(dirname -- "$(readlink -f -- "$file")")" && return 0
        fi
    done
    for folder in /usr/lib/postgresql/*/bin /usr/pgsql-*/bin /opt/homebrew/opt/postgresql@*/bin \
        /usr/local/opt/postgresql@*/bin /Applications/Postgres.app/Contents/Versions/*/bin; do
        usable_server "$folder" && return 0
    done
    return 1
}

# Installs the server programs without the cluster that the package would create and start: ours are private.
install_server() {
    local folder=/etc/postgresql-common/createcluster.d status=0
    as_root mkdir -p "$folder"
    # Only for this installation; whoever installs PostgreSQL later gets what they expect.
    printf 'create_main_cluster = false\n' | as_root tee "$folder/belay.conf" >/dev/null
    apt_install postgresql || status=$?
    as_root rm -f "$folder/belay.conf"
    [ "$status" = 0 ] || fail "The package postgresql could not be installed."
    have_server || fail "This system's package postgresql is older than version $postgres_needed." \
        "Newer ones are at https://www.postgresql.org/download/; BELAY_PG_BIN names their folder."
}

need_server() {
    have_server && return
    if can_install; then
        install_server
    else
        fail "Missing: the PostgreSQL server programs, version $postgres_needed or newer." \
            "Debian and Ubuntu: apt-get install postgresql. Fedora: dnf install postgresql-server. macOS: brew install postgresql@17." \
            "Or set BELAY_PG_BIN to the folder of initdb and postgres."
    fi
}

# What compiling needs besides Rust: the bundled libpq is C and links the system's OpenSSL.
need_build_tools() {
    local packages=()
    command -v cc >/dev/null || packages+=(gcc libc6-dev)
    command -v make >/dev/null || packages+=(make)
    command -v perl >/dev/null || packages+=(perl)
    command -v pkg-config >/dev/null || packages+=(pkg-config)
    pkg-config --exists openssl 2>/dev/null || [ -n "${OPENSSL_DIR:-}" ] || packages+=(libssl-dev)
    need_packages ${packages[@]+"${packages[@]}"}
}

# Names as Debian has them, which are close enough to be understood elsewhere.
need_packages() {
    [ $# -gt 0 ] || return 0
    can_install || fail "Missing: $* (names of Debian packages). Install them and start again."
    apt_install "$@"
}

need_rust() {
    local version
    command -v cargo >/dev/null || [ ! -x "$HOME/.cargo/bin/cargo" ] || PATH="$HOME/.cargo/bin:$PATH"
    version=$(cd -- "$root" && cargo --version 2>/dev/null) ||
        fail "Missing: Rust $rust_needed or newer. https://rustup.rs installs it; then start again."
    version=${version#cargo }
    version=${version%% *}
    [ "$(printf '%s\n' "$rust_needed" "$version" | sort -V | head -n 1)" = "$rust_needed" ] ||
        fail "Rust $version is too old, $rust_needed or newer is needed: rustup update stable"
}
