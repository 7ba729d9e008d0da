#!/bin/sh
# A private PostgreSQL cluster on a free loopback port, in a temporary directory of its own.
#
#   postgres-cluster.sh run [--durable] COMMAND…   the cluster lives as long as COMMAND; CHAPPE_TEST_POSTGRES names it
#   postgres-cluster.sh start [--durable]          prints two lines: the cluster's directory and its URL
#   postgres-cluster.sh pause DIRECTORY            stops the server at once and keeps the data
#   postgres-cluster.sh resume DIRECTORY           starts it again, on the same port
#   postgres-cluster.sh stop DIRECTORY             stops the server and deletes the cluster
#
# CHAPPE_TEST_POSTGRES is postgres://postgres@127.0.0.1:PORT/postgres: a superuser without password, who creates a
# database for each test. Without --durable, fsync is off: right for tests, which kill the homeserver but not PostgreSQL's
# machine, and wrong for measuring.
set -eu

# PostgreSQL refuses to run as root, and its user may not read the checkout: data lives in a temporary directory, and
# every command of PostgreSQL's runs from "/".
binaries=$(ls -d /usr/lib/postgresql/*/bin 2>/dev/null | sort -V | tail -n 1)
if [ -z "$binaries" ]; then
    echo "PostgreSQL is not installed (Debian: postgresql)." >&2
    exit 1
fi

as_postgres() {
    if [ "$(id -u)" = 0 ]; then
        (cd / && exec runuser -u postgres -- "$@")
    else
        (cd / && exec "$@")
    fi
}

launch() { # DIRECTORY; pg_ctl must not keep our output open, or a caller reading it would wait for the server's end
    as_postgres "$binaries/pg_ctl" --pgdata "$1/data" --log "$1/server.log" --wait --timeout 60 start >/dev/null 2>&1 \
        </dev/null || { cat "$1/server.log" >&2; return 1; }
}

halt() { # DIRECTORY
    as_postgres "$binaries/pg_ctl" --pgdata "$1/data" --mode immediate --wait stop >/dev/null 2>&1 </dev/null || true
}

start() { # [--durable]; sets directory and url
    directory=$(mktemp -d "${TMPDIR:-/tmp}/chappe-postgres.XXXXXX")
    chmod 700 "$directory"
    [ "$(id -u)" != 0 ] || chown postgres "$directory"
    as_postgres "$binaries/initdb" --pgdata "$directory/data" --username postgres --auth trust --encoding UTF8 \
        --locale C --no-sync >"$directory.log" 2>&1 </dev/null || { cat "$directory.log" >&2; return 1; }
    rm -f "$directory.log"
    attempt=0
    while :; do
        port=$(/usr/bin/python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])')
        cat >"$directory/data/postgresql.auto.conf" <<SETTINGS
listen_addresses = '127.0.0.1'
port = $port
unix_socket_directories = '$directory'
max_connections = 200
fsync = $([ "${1:-}" = --durable ] && echo on || echo off)
SETTINGS
        launch "$directory" && break
        attempt=$((attempt + 1)) # the port may have been taken between asking and using it
        [ "$attempt" -lt 3 ] || return 1
    done
    url=postgres://postgres@127.0.0.1:$port/postgres
}

stop() { # DIRECTORY
    case $1 in
        */chappe-postgres.*) halt "$1" && rm -rf "$1" ;;
        *) echo "$1 is not a cluster of this script's" >&2; return 1 ;;
    esac
}

verb=${1:-}
[ $# = 0 ] || shift
case $verb in
    run)
        mode=
        [ "${1:-}" != --durable ] || { mode=--durable && shift; }
        start $mode
        trap 'stop "$directory"' EXIT
        trap 'exit 130' INT
        trap 'exit 143' TERM
        CHAPPE_TEST_POSTGRES=$url "$@"
        ;;
    start) start "${1:-}" && printf '%s\n%s\n' "$directory" "$url" ;;
    pause) halt "$1" ;;
    resume) launch "$1" ;;
    stop) stop "$1" ;;
    *) sed -n '2,/^set/{/^#/s/^# \{0,1\}//p}' "$0" >&2; exit 2 ;;
esac
