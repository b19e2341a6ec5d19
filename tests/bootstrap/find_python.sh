#!/usr/bin/env bash
# Prints the path of a Python 3.12 or later, or says plainly what is missing.
set -u
fits() { "$1" -c 'import sys, venv, ensurepip; sys.exit(sys.version_info < (3, 12))' >/dev/null 2>&1; }

for name in python3.13 python3.12 python3; do
  path=$(command -v "$name" 2>/dev/null) && fits "$path" && { echo "$path"; exit 0; }
done
for path in "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.1[2-9]*/bin/python3; do
  [ -x "$path" ] && fits "$path" && { echo "$path"; exit 0; }
done
if command -v uv >/dev/null 2>&1; then
  path=$(uv python find '>=3.12' 2>/dev/null) && fits "$path" && { echo "$path"; exit 0; }
fi
echo "graphgate needs Python 3.12 or later with venv; found none as python3.13, python3.12, python3, under pyenv or uv. Install one and run make again." >&2
exit 1
