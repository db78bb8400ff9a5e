#!/usr/bin/env bash
# A PostgreSQL server for trying and testing: in a temporary folder, on loopback, on a free port, gone after `stop`.
#
#   scripts/postgres.sh start [STATE]     starts it and prints the environment that profiles.example.yml reads
#   scripts/postgres.sh env [STATE]       prints that environment again: eval "$(scripts/postgres.sh env)"
#   scripts/postgres.sh stop [STATE]      stops it and removes its folder
#
# STATE is a folder for what `stop` must know (default .cache/postgres). Nothing in it is kept safe from a crash: this is
# no server for data that matters.
set -euo pipefail
command="${1:-}"
state="${2:-$(cd "$(dirname "$0")/.." && pwd)/.cache/postgres}"

fail() { echo "postgres: $*" >&2; exit 1; }

# The server refuses to run as root.
as_server() { if [ "$(id -u)" = 0 ]; then setpriv --reuid=postgres --regid=postgres --clear-groups -- "$@"; else "$@"; fi; }

binaries() {
  local newest
  newest="$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -1 || true)"
  if [ -n "$newest" ]; then echo "$newest"; elif command -v pg_ctl >/dev/null; then dirname "$(command -v pg_ctl)"; fi
}

start() {
  local bin folder port password
  [ ! -e "$state/env" ] || fail "already started; its settings: $state/env"
  bin="$(binaries)"
  if [ -z "$bin" ]; then
    [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null || fail "no PostgreSQL server here; install the package postgresql"
    echo "postgres: installing the package postgresql" >&2
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends postgresql; } >&2
    bin="$(binaries)"
  fi
  mkdir -p "$state"
  folder="$(mktemp -d "${TMPDIR:-/tmp}/leadlag-postgres.XXXXXX")"
  port="$(python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')"
  password="$(od -An -N12 -tx1 /dev/urandom | tr -d ' \n')"
  printf '%s' "$password" >"$folder/password"
  [ "$(id -u)" != 0 ] || chown -R postgres:postgres "$folder"
  echo "$folder" >"$state/folder"
  # An English collation, not the C locale: SQL that leaves order to the server would show it.
  as_server "$bin/initdb" --pgdata="$folder/data" --username=leadlag --pwfile="$folder/password" --encoding=UTF8 \
    --locale=C.UTF-8 --locale-provider=icu --icu-locale=en-US \
    --auth-local=trust --auth-host=scram-sha-256 --no-sync >"$folder/initdb.log" || fail "initdb: $(cat "$folder/initdb.log")"
  cat >>"$folder/data/postgresql.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$folder'
timezone = 'America/New_York'
fsync = off
synchronous_commit = off
full_page_writes = off
shared_buffers = 256MB
work_mem = 64MB
maintenance_work_mem = 128MB
max_wal_size = 4GB
jit = off
SETTINGS
  as_server "$bin/pg_ctl" --pgdata="$folder/data" --log="$folder/server.log" --wait --silent start \
    || fail "does not start: $(cat "$folder/server.log")"
  as_server "$bin/createdb" --host="$folder" --port="$port" --username=leadlag leadlag
  (
    umask 077
    cat >"$state/env" <<SETTINGS
export LEADLAG_PG_HOST=127.0.0.1
export LEADLAG_PG_PORT=$port
export LEADLAG_PG_USER=leadlag
export LEADLAG_PG_PASSWORD=$password
export LEADLAG_PG_DATABASE=leadlag
SETTINGS
  )
  cat "$state/env"
}

stop() {
  [ -e "$state/folder" ] || fail "not started (no $state/folder)"
  local folder
  folder="$(cat "$state/folder")"
  as_server "$(binaries)/pg_ctl" --pgdata="$folder/data" --mode=fast --silent stop || true
  rm -rf "$folder" "$state"
}

case "$command" in
  start) start ;;
  stop) stop ;;
  env) cat "$state/env" 2>/dev/null || fail "not started; scripts/postgres.sh start" ;;
  *) fail "usage: scripts/postgres.sh start|env|stop [STATE]" ;;
esac
