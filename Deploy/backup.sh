#!/bin/sh
# A backup a day: backup.sh DIRECTORY [CONFIGURATION]
#
# Each is a directory of its own, DIRECTORY/2026-11-27T023000Z, complete by itself: files that the one before has are shared with it and need no
# room. Each is checked before older ones go; the last 14 are kept (KEEP=30 keeps 30). Copy them to another machine, for instance with
# rsync -aH.
set -eu
[ $# -ge 1 ] || { echo "usage: $0 DIRECTORY [CONFIGURATION]" >&2; exit 2; }
directory=$1
configuration=${2:-/etc/chappe/chappe.yaml}
chappe=${CHAPPE:-chappe}

umask 077
mkdir -p "$directory"
# Names are times, so that their order is that of the backups.
last=$(find "$directory" -mindepth 1 -maxdepth 1 -type d -name '*Z' | sort | tail -n 1)
new=$directory/$(date -u +%Y-%m-%dT%H%M%SZ)
if [ -n "$last" ]; then
    "$chappe" backup create "$new" --verify --previous "$last" --config "$configuration"
else
    "$chappe" backup create "$new" --verify --config "$configuration"
fi
find "$directory" -mindepth 1 -maxdepth 1 -type d -name '*Z' | sort | head -n "-${KEEP:-14}" | while read -r old; do
    rm -rf "$old"
done
