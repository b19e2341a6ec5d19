#!/usr/bin/env bash
# Every check that needs no engine; $1 is the virtual environment's bin folder.
set -euo pipefail
bin=$1
export PATH="$PWD/$bin:$PATH"
ruff format --check --quiet .
ruff check --quiet .
pyright
lint-imports --no-logo
(cd proto && buf lint)

# Wire compatibility: the working tree against the last commit, a clean checkout against the one before.
base=HEAD
git diff --quiet HEAD -- proto 2>/dev/null && base=HEAD~1
if git cat-file -e "$base:proto/buf.yaml" 2>/dev/null; then
  buf breaking proto --against ".git#ref=$(git rev-parse "$base"),subdir=proto"
fi
