#!/usr/bin/env bash
# Runs a Python program with stubs generated from proto/: tests/python/run.sh PROGRAM ARGUMENT...
# The packages are installed once, and the stubs generated when the contract changes, under target/; after that it works
# without a network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
venv=$target/python-client
requirements=tests/python/requirements.txt
export PYTHONDONTWRITEBYTECODE=1

install() {
  cmp -s "$requirements" "$venv/installed.txt" && return
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
  # Last, so that an installation that was interrupted is done again.
  cp "$requirements" "$venv/installed.txt"
}

# Each contract has a directory of its own: programs that run keep theirs.
generate() {
  [[ -d $stubs ]] && return
  rm -rf "$venv/unfinished" && mkdir "$venv/unfinished"
  "$venv/bin/python" -m grpc_tools.protoc -I proto/vendor -I proto --python_out="$venv/unfinished" \
    --grpc_python_out="$venv/unfinished" proto/leadflip/ownership/v1/*.proto proto/vendor/buf/validate/validate.proto
  mv "$venv/unfinished" "$stubs"
}

stubs=$venv/stubs-$(cat proto/leadflip/ownership/v1/*.proto | cksum | tr ' ' -)
# Several tests may start at the same time.
mkdir -p "$target"
(
  ! command -v flock >/dev/null || flock 9
  install
  generate
) 9>"$venv.lock"

PYTHONPATH=$stubs exec "$venv/bin/python" "$@"
