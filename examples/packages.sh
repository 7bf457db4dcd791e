#!/bin/sh
# Installs from Debian what ChargeBridge needs, when it is not there yet.
#
#     examples/packages.sh run     to build and run it
#     examples/packages.sh test    also what the tests use
#
# Needs root, or sudo. Prints nothing when there is nothing to do. The list is the dependency table
# of README.md.
set -eu

RUN="cmake gcc libc6-dev make pkg-config liblua5.4-dev lua-cjson libwebsockets-dev
libwebsockets-evlib-uv libuv1-dev libmicrohttpd-dev libsqlite3-dev libssl-dev libcurl4-openssl-dev curl ca-certificates"
TEST="clang clang-format libclang-rt-dev git libcmocka-dev libjansson-dev python3 python3-websockets python3-jsonschema"

wanted=$RUN
[ "${1:-run}" = test ] && wanted="$RUN $TEST"

missing=""
for package in $wanted; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q '^install ok installed' ||
        missing="$missing $package"
done
# Node.js may be there without being Debian's.
if [ "${1:-run}" = test ] && ! { command -v node && command -v npm; } >/dev/null 2>&1; then
    missing="$missing nodejs npm"
fi
[ -n "$missing" ] || exit 0

as_root=""
if [ "$(id -u)" != 0 ]; then
    command -v sudo >/dev/null || {
        echo "These packages are missing, and installing them needs root or sudo:$missing" >&2
        exit 1
    }
    as_root=sudo
fi
echo "Installing with apt:$missing"
$as_root env DEBIAN_FRONTEND=noninteractive apt-get update -qq
# shellcheck disable=SC2086 # a list of words is meant
$as_root env DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends $missing >/dev/null
