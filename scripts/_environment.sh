# Sourced by the scripts beside it: finds interpreters, makes environments, announces steps. Sets `root`, `oldest`
# and `newest`; `newest` is the newest supported Python on this machine, `oldest` the oldest.
set -euo pipefail

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cd "$root"
unset PYTHONPATH PYTHONHOME # what is installed somewhere else is no part of an environment that is made here
export PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_INPUT=1 PYRIGHT_PYTHON_IGNORE_WARNINGS=1 NO_MKDOCS_2_WARNING=1

fail() {
    printf '\n== FAILED: %s\n' "$*" >&2
    exit 1
}

# Prints "minor path" for a Python that runs, is supported and can make environments; nothing for any other.
# A pyenv shim can be on the PATH and not run, so each candidate is tried; the path is the one behind the shim.
probe() {
    "$1" -c '
import ensurepip, sqlite3, sys, venv
if (3, 11) <= sys.version_info[:2] <= (3, 14) and sys.version_info.releaselevel == "final":
    if sqlite3.sqlite_version_info >= (3, 37):
        print(sys.version_info[1], sys.executable)
' 2>/dev/null || true
}

# Prints "minor path", oldest first, one for each supported minor version; the PATH wins over version managers.
interpreters() {
    local name candidate
    {
        for name in python3 python3.11 python3.12 python3.13 python3.14 python; do
            type -aP "$name" || true
        done
        for candidate in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python \
            "${UV_PYTHON_INSTALL_DIR:-$HOME/.local/share/uv/python}"/*/bin/python3; do
            if [ -x "$candidate" ]; then printf '%s\n' "$candidate"; fi
        done
    } | while IFS= read -r candidate; do probe "$candidate"; done | sort -s -n -k1,1 -u
}

# environment NAME PYTHON ARGUMENTS…: prints the bin directory of the environment that holds this project and what
# scripts/requirements.py lists for the arguments. It is made once, and again when what it is made from changes.
environment() {
    local name=$1 python=$2 key directory
    shift 2
    key=$({ "$python" -VV && printf '%s\n' "$root" "$python" "$*" && cat pyproject.toml scripts/requirements.py; } |
        "$python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest()[:12])')
    directory=$root/.cache/environments/$name-$key
    if [ ! -e "$directory/made" ]; then
        printf '== making the environment %s: %s\n' "$name" "$("$python" -V)" >&2
        rm -rf "$root/.cache/environments/$name"-*
        {
            "$python" -m venv "$directory"
            "$python" scripts/requirements.py "$@" >"$directory/requirements.txt"
            "$directory/bin/python" -m pip install -qq -r "$directory/requirements.txt"
        } >&2 || fail "the environment $name could not be made"
        touch "$directory/made"
    fi
    printf '%s\n' "$directory/bin"
}

steps=0
# step TITLE COMMAND…: runs the command under a heading; the first that fails ends the script.
step() {
    local title=$1 begun=$SECONDS status=0
    shift
    printf '\n== %s\n' "$title"
    "$@" || status=$?
    if [ "$status" -ne 0 ]; then
        printf '\n== FAILED: %s (exit %d, after %d s)\n' "$title" "$status" "$((SECONDS - begun))"
        exit "$status"
    fi
    printf '== %s: passed in %d s\n' "$title" "$((SECONDS - begun))"
    steps=$((steps + 1))
}

found=$(interpreters)
[ -n "$found" ] || fail "no Python 3.11 to 3.14 with venv and SQLite 3.37 or newer was found" \
    "(on Debian: apt install python3-venv)"
oldest=$(head -n 1 <<<"$found" | cut -d ' ' -f 2-)
newest=$(tail -n 1 <<<"$found" | cut -d ' ' -f 2-)
