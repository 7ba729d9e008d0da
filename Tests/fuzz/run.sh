#!/bin/sh
# Fuzzes one target under the address sanitizer: run.sh json|event|request SECONDS. Exit status 0: nothing was found.
#
# What the fuzzer learns is kept in .fuzz/TARGET and used again; a text that breaks an invariant is left there as crash-*.
set -eu

target=$1
seconds=$2
case $target in
json) main=JSONTarget ;;
event) main=EventTarget ;;
request) main=RequestTarget ;;
*)
    echo "unknown target: $target (json, event, request)" >&2
    exit 2
    ;;
esac

root=$(cd "$(dirname "$0")/../.." && pwd)
out=$root/.fuzz/$target
mkdir -p "$out/build" "$out/corpus"
cd "$out/build"

sodium="-I $root/Sources/CSodium -lsodium"
instrument="-sanitize=fuzzer,address -O -assert-config Debug"
web=$root/Sources/Web/HTTP

# shellcheck disable=SC2086
swiftc -swift-version 6 -parse-as-library -O -module-name Crypto -emit-module -emit-library -static \
    $sodium -o libCrypto.a "$root/Tests/fuzz/Crypto/Crypto.swift"
# shellcheck disable=SC2086,SC2046
swiftc -swift-version 6 -parse-as-library -wmo -module-name Fuzz $instrument -I . -L . -lCrypto $sodium \
    $(find "$root/Sources/Matrix" -name '*.swift' ! -name SHA1.swift | sort) \
    "$web/PercentEncoding.swift" "$web/QueryItems.swift" "$web/IPAddress.swift" "$root/Tests/fuzz/$main.swift" \
    -o fuzz

cd "$out"
# Leaks are not looked for: the runtime keeps what it allocates once.
ASAN_OPTIONS=detect_leaks=0 ./build/fuzz -max_total_time="$seconds" -max_len=8192 -timeout=10 -rss_limit_mb=2048 \
    -print_final_stats=1 -dict="$root/Tests/fuzz/matrix.dict" corpus "$root/Tests/fuzz/corpus/$target"
