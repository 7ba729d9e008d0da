#!/bin/sh
# A private PostgreSQL cluster for tests, fsync on.
#   postgres-cluster.sh start DIR      creates and starts it if need be, and prints its connection string
#   postgres-cluster.sh pause DIR      stops it at once and keeps the data
#   postgres-cluster.sh resume DIR     starts it again where it was
#   postgres-cluster.sh stop DIR       stops it and removes it
#   postgres-cluster.sh run COMMAND…   one for as long as COMMAND runs, which finds it in CHAPPE_TEST_POSTGRES
# PostgreSQL refuses to run as root, so root runs it as `postgres` (or $CHAPPE_TEST_POSTGRES_USER).
set -eu

usage() {
    echo "usage: $0 start|pause|resume|stop DIR, or run COMMAND…" >&2
    exit 2
}

[ $# -ge 2 ] || usage
action=$1
if [ "$action" = run ]; then
    # A temporary directory: the checkout may lie where PostgreSQL's user cannot read.
    dir=$(mktemp -d "${TMPDIR:-/tmp}/chappe-pg-XXXXXX")
    shift
else
    [ $# -eq 2 ] || usage
    mkdir -p "$2"
    dir=$(cd "$2" && pwd)
fi
bin=${CHAPPE_TEST_POSTGRES_BIN:-}
if [ -z "$bin" ]; then
    for version in 18 17 16 15; do
        if [ -x "/usr/lib/postgresql/$version/bin/initdb" ]; then
            bin=/usr/lib/postgresql/$version/bin
            break
        fi
    done
fi
[ -n "$bin" ] || { echo "$0: no PostgreSQL 15 or later found: install postgresql-15" >&2; exit 1; }

if [ "$(id -u)" -eq 0 ]; then
    user=${CHAPPE_TEST_POSTGRES_USER:-postgres}
    as_user() { runuser -u "$user" -- "$@"; }
else
    user=$(id -un)
    as_user() { "$@"; }
fi

free_port() {
    python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'
}

launch() {
    (cd / && as_user "$bin/pg_ctl" -D "$dir/data" -l "$dir/data/server.log" -w -t 60 -o "$(cat "$dir/options")" \
        start >"$dir/start.log" 2>&1 </dev/null) || { cat "$dir/start.log" "$dir/data/server.log" >&2; exit 1; }
}

pause() {
    (cd / && as_user "$bin/pg_ctl" -D "$dir/data" -m immediate -w stop >/dev/null 2>&1) || true
}

start() {
    if [ -f "$dir/url" ] && as_user "$bin/pg_ctl" -D "$dir/data" status >/dev/null 2>&1; then
        cat "$dir/url"
        return
    fi
    # Socket paths are limited to 107 bytes, so the socket may have to live elsewhere than in DIR.
    sockets=$(mktemp -d /tmp/chappe-pg-XXXXXX)
    echo "$sockets" >"$dir/sockets"
    mkdir -p "$dir/data"
    chown "$user" "$dir" "$dir/data" "$sockets"
    chmod 700 "$dir/data"
    chmod 755 "$sockets"
    port=$(free_port)
    if [ ! -f "$dir/data/PG_VERSION" ]; then
        (cd / && as_user "$bin/initdb" -D "$dir/data" -U chappe -A trust -E UTF8 --locale=C.UTF-8 >"$dir/initdb.log")
    fi
    echo "-p $port -k $sockets -c listen_addresses=127.0.0.1 -c max_connections=300 -c shared_buffers=128MB" \
        >"$dir/options"
    launch
    echo "postgresql://chappe@/postgres?host=$sockets&port=$port" >"$dir/url"
    cat "$dir/url"
}

stop() {
    if [ -d "$dir/data" ]; then
        pause
    fi
    if [ -f "$dir/sockets" ]; then
        rm -rf "$(cat "$dir/sockets")"
    fi
    # Only what `start` made: DIR may be anything.
    rm -rf "$dir/data"
    rm -f "$dir/sockets" "$dir/url" "$dir/initdb.log" "$dir/start.log" "$dir/options"
    rmdir "$dir" 2>/dev/null || true
}

case $action in
start) start ;;
pause) pause ;;
resume) launch ;;
stop) stop ;;
run)
    trap stop EXIT
    trap 'exit 130' INT
    trap 'exit 143' TERM
    start >/dev/null
    CHAPPE_TEST_POSTGRES=$(cat "$dir/url") "$@"
    ;;
*) usage ;;
esac
