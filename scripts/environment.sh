#!/bin/sh
# Make .venv and install a requirements file into it, once for each version of the file.
# Usage: scripts/environment.sh REQUIREMENTS PYTHON
set -eu
requirements=$1
python=$2

if ! command -v "$python" >/dev/null 2>&1; then
    echo "Python is missing: no command '$python' was found." >&2
    echo "On Debian or Ubuntu: sudo apt-get install python3 python3-venv" >&2
    exit 1
fi
if ! "$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))'; then
    echo "$("$python" --version) is too old: Python 3.11 or newer is needed." >&2
    echo "Install it (for example: sudo apt-get install python3.12 python3.12-venv) and run: make PYTHON=python3.12" >&2
    exit 1
fi
if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
    version=$("$python" -c 'import sys; print("%d.%d" % sys.version_info[:2])')
    echo "The venv module of $python is missing, so no environment can be made." >&2
    echo "On Debian or Ubuntu: sudo apt-get install python3-venv (or python$version-venv)" >&2
    exit 1
fi

[ -x .venv/bin/python ] && .venv/bin/python -m pip --version >/dev/null 2>&1 || {
    rm -rf .venv
    "$python" -m venv .venv
}
wanted=$(cat requirements.txt "$requirements" | cksum)
stamp=.venv/installed-$(basename "$requirements" .txt)
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$wanted" ]; then
    echo "Installing $requirements into .venv (several minutes the first time) ..."
    .venv/bin/python -m pip install --quiet --disable-pip-version-check torch=="$(sed -n 's/^torch==//p' requirements.txt)"
    .venv/bin/python -m pip install --quiet --disable-pip-version-check -r "$requirements"
    echo "$wanted" >"$stamp"
fi
