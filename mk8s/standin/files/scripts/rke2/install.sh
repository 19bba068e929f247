#!/bin/sh
# STAND-IN for RKE2's install.sh: only the tar method, only from local files (INSTALL_RKE2_ARTIFACT_PATH).
# Written from the documented behaviour, for tests and rehearsal of mk8s. It enables and starts nothing.
set -eu

fatal() {
    echo "[ERROR]  stand-in install.sh: $*" >&2
    exit 1
}

info() {
    echo "[INFO]  stand-in install.sh: $*"
}

set_up() {
    [ "$(id -u)" -eq 0 ] || fatal "you need to be root to perform this install"
    artifacts=${INSTALL_RKE2_ARTIFACT_PATH:-}
    [ -n "$artifacts" ] || fatal "set INSTALL_RKE2_ARTIFACT_PATH: the stand-in downloads nothing"
    [ "${INSTALL_RKE2_METHOD:-tar}" = tar ] || fatal "only the tar method is built, not ${INSTALL_RKE2_METHOD}"
    images=${INSTALL_RKE2_AGENT_IMAGES_DIR:-/var/lib/rancher/rke2/agent/images}
    case "${INSTALL_RKE2_TYPE:-${INSTALL_RKE2_EXEC:-server}}" in
        server | agent) ;;
        *) fatal "invalid type ${INSTALL_RKE2_TYPE:-${INSTALL_RKE2_EXEC:-}}: server or agent" ;;
    esac
    case "$(uname -m)" in
        x86_64 | amd64) arch=amd64 ;;
        aarch64 | arm64) arch=arm64 ;;
        *) fatal "unsupported architecture $(uname -m)" ;;
    esac
    prefix=${INSTALL_RKE2_TAR_PREFIX:-$(default_prefix)}
    if command -v rpm >/dev/null 2>&1 && rpm -q rke2-common >/dev/null 2>&1; then
        fatal "an rke2-common RPM is installed"
    fi
}

default_prefix() {
    if mountpoint -q /usr/local || ! touch /usr/local/.rke2-writable 2>/dev/null; then
        echo /opt/rke2
    else
        rm -f /usr/local/.rke2-writable
        echo /usr/local
    fi
}

# verify NAME: the file against the checksum file's line of that name.
verify() {
    expected=$(awk -v name="$1" '$2 == name {print $1}' "$sums")
    [ -n "$expected" ] || fatal "$1 is not in $sums"
    actual=$(sha256sum "$artifacts/$1" | cut -c1-64)
    [ "$expected" = "$actual" ] || fatal "download sha256 does not match $expected, got $actual: $1"
    info "verified $1"
}

check() {
    sums=$artifacts/sha256sum-$arch.txt
    bundle=rke2.linux-$arch.tar.gz
    base=
    [ -f "$sums" ] || fatal "$sums is missing"
    [ -f "$artifacts/$bundle" ] || fatal "$artifacts/$bundle is missing"
    verify "$bundle"
    for name in "rke2-images.linux-$arch.tar.zst" "rke2-images.linux-$arch.tar.gz"; do
        if [ -z "$base" ] && [ -f "$artifacts/$name" ]; then
            base=$name
            verify "$base"
        fi
    done
}

# Like the real one: further archives are taken only beside a base archive, and are not verified.
place_images() {
    [ -n "$base" ] || return 0
    mkdir -p "$images"
    case "$base" in
        *.zst) mv -f "$artifacts/$base" "$images/$base" ;;
        *.gz) gzip -dc "$artifacts/$base" > "$images/rke2-images.linux-$arch.tar" ;;
    esac
    for extra in "$artifacts"/rke2-images-*."linux-$arch"*; do
        [ ! -f "$extra" ] || cp -f "$extra" "$images/"
    done
}

unpack() {
    info "unpacking $bundle to $prefix"
    mkdir -p "$prefix"
    tar xzf "$artifacts/$bundle" -C "$prefix"
    if [ "$prefix" != /usr/local ]; then
        for file in lib/systemd/system/rke2-server.service lib/systemd/system/rke2-agent.service bin/rke2-uninstall.sh; do
            sed -i "s|/usr/local|$prefix|g" "$prefix/$file"
        done
        mkdir -p /etc/systemd/system
        mv -f "$prefix"/lib/systemd/system/rke2-*.service /etc/systemd/system/
    fi
    if [ -z "${INSTALL_RKE2_SKIP_RELOAD:-}" ]; then
        systemctl daemon-reload
    fi
}

set_up
check
place_images
unpack
