#!/bin/sh
# Makes a Debian package of a built server.
#
#   Deploy/package.sh [--binary FILE] [--output DIRECTORY] [--version VERSION] [--compression xz|gzip|none]
#
# The binary is .build/release/chappe unless another is named; one that is to run elsewhere is built with --static-swift-stdlib (README.md).
# Prints the package's path. Nothing needs root.
set -eu
here=$(cd "$(dirname "$0")" && pwd)
binary=$here/../.build/release/chappe
output=.
version=
compression=xz
while [ $# -gt 0 ]; do
    case $1 in
    --binary) binary=$2 ;;
    --output) output=$2 ;;
    --version) version=$2 ;;
    --compression) compression=$2 ;;
    *)
        echo "usage: $0 [--binary FILE] [--output DIRECTORY] [--version VERSION] [--compression xz|gzip|none]" >&2
        exit 2
        ;;
    esac
    shift 2
done
[ -x "$binary" ] || { echo "$0: there is no $binary: build it first" >&2; exit 1; }
[ -n "$version" ] || version=$("$binary" --version)
architecture=$(dpkg --print-architecture)

root=$(mktemp -d)
trap 'rm -rf "$root"' EXIT
chmod 755 "$root"

install -D -m 755 "$binary" "$root/usr/bin/chappe"
install -D -m 755 "$here/backup.sh" "$root/usr/lib/chappe/backup.sh"
for unit in chappe.service chappe-backup.service chappe-backup.timer; do
    install -D -m 644 "$here/systemd/$unit" "$root/lib/systemd/system/$unit"
done
for file in chappe.example.yaml GUIDE.md UPGRADING.md METRICS.md nginx.conf Caddyfile haproxy.cfg grafana-dashboard.json \
    alerts.yaml; do
    install -D -m 644 "$here/$file" "$root/usr/share/doc/chappe/$file"
done
install -D -m 644 "$here/debian/copyright" "$root/usr/share/doc/chappe/copyright"

completions() {
    mkdir -p "$(dirname "$2")"
    "$binary" --generate-completion-script "$1" >"$2"
}
completions bash "$root/usr/share/bash-completion/completions/chappe"
completions zsh "$root/usr/share/zsh/vendor-completions/_chappe"
completions fish "$root/usr/share/fish/vendor_completions.d/chappe.fish"
if [ -x "$here/man.sh" ]; then
    mkdir -p "$root/usr/share/man/man1"
    "$here/man.sh" "$binary" "$root/usr/share/man/man1" >&2
    find "$root/usr/share/man" -name '*.1' -exec gzip -9n {} +
fi

mkdir "$root/DEBIAN"
size=$(du -sk --exclude=DEBIAN "$root" | cut -f 1)
sed -e "s/@VERSION@/$version/" -e "s/@ARCHITECTURE@/$architecture/" -e "/^Architecture:/a Installed-Size: $size" \
    "$here/debian/control" >"$root/DEBIAN/control"
for script in postinst prerm postrm; do install -m 755 "$here/debian/$script" "$root/DEBIAN/$script"; done

mkdir -p "$output"
package=$output/chappe_${version}_$architecture.deb
dpkg-deb -Z"$compression" --root-owner-group --build "$root" "$package" >&2
echo "$package"
