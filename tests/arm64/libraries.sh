#!/bin/sh
# Fetches what arm64 builds link (protobuf-c's runtime) from Debian's archive and unpacks it into a folder:
# no root, and nothing of the system changes.  Usage: libraries.sh FOLDER
set -eu
packages="libprotobuf-c1 libprotobuf-c-dev"
mkdir -p "$1"
folder=$(cd "$1" && pwd)
[ -e "$folder/ready" ] && exit 0

for tool in aarch64-linux-gnu-gcc qemu-aarch64 apt-get dpkg-deb pkg-config; do
    command -v $tool > /dev/null && continue
    echo "make check-arm64 needs $tool; on Debian: apt-get install gcc-aarch64-linux-gnu qemu-user pkg-config" >&2
    exit 2
done

# apt with lists, cache and status of its own; sources and keys are the system's
mkdir -p "$folder/lists/partial" "$folder/cache/archives/partial" "$folder/deb" "$folder/root"
: > "$folder/status"
cat > "$folder/apt.conf" << END
APT::Architecture "arm64";
APT::Architectures { "arm64"; };
Dir::State::lists "$folder/lists";
Dir::State::status "$folder/status";
Dir::Cache "$folder/cache";
APT::Sandbox::User "$(id -un)";
END
export APT_CONFIG="$folder/apt.conf"
# a source that has nothing for arm64 is no reason to stop: what matters is that the packages come
apt-get -qq update || echo "apt-get update had complaints" >&2
(cd "$folder/deb" && apt-get -qq download $packages)
for deb in "$folder"/deb/*.deb; do
    dpkg-deb -x "$deb" "$folder/root"
done
touch "$folder/ready"
