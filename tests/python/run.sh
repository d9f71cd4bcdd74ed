#!/usr/bin/env bash
# Generates Python stubs from proto/ and runs client.py with them: tests/python/run.sh --server HOST:PORT --account ID
# The packages are installed once, under target/; after that it works without a network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

target=$(realpath -m "${CARGO_TARGET_DIR:-target}")
venv=$target/python-client
requirements=tests/python/requirements.txt
stubs=''
export PYTHONDONTWRITEBYTECODE=1

install() {
  cmp -s "$requirements" "$venv/installed.txt" && return
  rm -rf "$venv"
  python3 -m venv "$venv"
  "$venv/bin/pip" install --quiet --disable-pip-version-check --no-deps --requirement "$requirements"
  # Last, so that an installation that was interrupted is done again.
  cp "$requirements" "$venv/installed.txt"
}

# Several tests may start at the same time.
mkdir -p "$target"
(
  ! command -v flock >/dev/null || flock 9
  install
) 9>"$venv.lock"

stubs=$(mktemp -d)
trap 'rm -rf "$stubs"' EXIT
"$venv/bin/python" -m grpc_tools.protoc -I proto/vendor -I proto --python_out="$stubs" --grpc_python_out="$stubs" \
  proto/leadflip/ownership/v1/*.proto proto/vendor/buf/validate/validate.proto
PYTHONPATH=$stubs "$venv/bin/python" tests/python/client.py "$@"
