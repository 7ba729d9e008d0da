#!/bin/sh
# Installs those of the Debian packages listed in Tests/system-packages.txt that are missing; silent when none is.
set -eu
list=$(dirname "$0")/../system-packages.txt

missing=
for package in $(grep -v '^#' "$list"); do
    case $(dpkg-query -W -f '${Status}' "$package" 2>/dev/null) in
        *" installed") ;;
        *) missing="$missing $package" ;;
    esac
done
[ -n "$missing" ] || exit 0

as_root=
if [ "$(id -u)" != 0 ]; then
    if ! command -v sudo >/dev/null 2>&1; then
        echo "These system packages are missing; install them as root:$missing" >&2
        exit 1
    fi
    as_root=sudo
fi

# PostgreSQL's package would create and start a cluster of its own on port 5432. The tests bring theirs.
if ! dpkg-query -W postgresql-common >/dev/null 2>&1; then
    $as_root mkdir -p /etc/postgresql-common/createcluster.d
    echo "create_main_cluster = false" |
        $as_root tee /etc/postgresql-common/createcluster.d/no-main-cluster.conf >/dev/null
fi

echo "Installing system packages:$missing"
export DEBIAN_FRONTEND=noninteractive
$as_root apt-get update -q </dev/null
# Unquoted on purpose: one word a package.
# shellcheck disable=SC2086
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends $missing </dev/null
