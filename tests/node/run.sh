#!/usr/bin/env bash
# Runs a Node program with the packages that it needs to call the service: tests/node/run.sh PROGRAM ARGUMENT...
# They are installed once, under target/; after that it works without a network.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/../.."

home=$(realpath -m "${CARGO_TARGET_DIR:-target}")/node-client

install() {
  cmp -s tests/node/package-lock.json "$home/installed.json" && return
  rm -rf "$home" && mkdir -p "$home"
  cp tests/node/package.json tests/node/package-lock.json "$home"
  npm ci --prefix "$home" --silent --ignore-scripts --no-audit --no-fund
  # Last, so that an installation that was interrupted is done again.
  cp tests/node/package-lock.json "$home/installed.json"
}

# Several tests may start at the same time.
mkdir -p "${home%/*}"
(
  ! command -v flock >/dev/null || flock 9
  install
  # Node looks for packages beside a program.
  ln -sf "$PWD/$1" "$home"
) 9>"$home.lock"

exec node --preserve-symlinks-main "$home/${1##*/}" "${@:2}"
