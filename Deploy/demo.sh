#!/bin/sh
# Serves a demonstration from ./demo on 127.0.0.1:8008, with an administrator and two users. The first run creates them
# with generated passwords, kept in demo/credentials.txt (mode 0600) and printed by every run. Delete ./demo to begin anew.
set -eu
cd "$(dirname "$0")/.."

chappe=${CHAPPE_BINARY:-.build/release/chappe}
demo=demo
url=http://127.0.0.1:8008
credentials=$demo/credentials.txt

if [ ! -f "$demo/chappe.yaml" ]; then
    "$chappe" init --directory "$demo" --server-name localhost --public-base-url "$url"
fi

"$chappe" serve --config "$demo/chappe.yaml" &
server=$!
# A process in the background does not hear Ctrl-C: pass it on, and wait for the server's clean end.
trap 'kill -TERM "$server" 2>/dev/null || true' INT TERM

ready() {
    /usr/bin/python3 -c 'import sys, urllib.request; urllib.request.urlopen(sys.argv[1] + "/health", timeout=1)' "$url" \
        2>/dev/null
}
attempt=0
until ready; do
    if ! kill -0 "$server" 2>/dev/null; then
        wait "$server"
        exit 1
    fi
    attempt=$((attempt + 1))
    if [ "$attempt" -ge 100 ]; then
        echo "The server does not answer on $url" >&2
        kill -TERM "$server"
        exit 1
    fi
    sleep 0.1
done

if [ ! -s "$credentials" ]; then
    (umask 077 && : >"$credentials.new")
    for name in admin alice bob; do
        password=$(/usr/bin/python3 -c 'import secrets; print(secrets.token_urlsafe(12))')
        privilege=
        [ "$name" != admin ] || privilege=--admin
        # shellcheck disable=SC2086
        printf '%s\n' "$password" |
            "$chappe" user create "$name" --config "$demo/chappe.yaml" --password-stdin $privilege >/dev/null
        printf '%-6s %s\n' "$name" "$password" >>"$credentials.new"
    done
    mv "$credentials.new" "$credentials"
fi

cat <<TEXT

Chappe is serving $url (server name: localhost).
Point a Matrix client at that homeserver address and sign in as one of

$(sed 's/^/    /' "$credentials")

Ctrl-C stops it; everything it keeps is in ./$demo.
TEXT

# A trapped signal ends `wait` early: wait again until the server itself has gone.
status=0
wait "$server" || status=$?
while kill -0 "$server" 2>/dev/null; do
    status=0
    wait "$server" || status=$?
done
exit "$status"
