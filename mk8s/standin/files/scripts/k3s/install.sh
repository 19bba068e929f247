#!/bin/sh
# STAND-IN for K3s' install.sh: only with INSTALL_K3S_SKIP_DOWNLOAD, for systemd.
# Written from the documented behaviour, for tests and rehearsal of mk8s. It verifies nothing, like the real one.
set -eu

fatal() {
    echo "[ERROR]  stand-in install.sh: $*" >&2
    exit 1
}

info() {
    echo "[INFO]  stand-in install.sh: $*"
}

quoted() {
    for word in "$@"; do
        printf " \\\\\n\t'%s'" "$(printf %s "$word" | sed "s/'/'\\\\''/g")"
    done
}

# The command in INSTALL_K3S_EXEC or in the arguments wins; else an agent where K3S_URL says whose.
choose_role() {
    case "${1:-}" in
        server | agent) role=$1; shift ;;
        -* | "") if [ -n "${K3S_URL:-}" ]; then role=agent; else role=server; fi ;;
        *) fatal "the stand-in installs server or agent, not $1" ;;
    esac
    if [ "$role" = agent ] && [ -n "${K3S_URL:-}" ]; then
        case "$K3S_URL" in https://*) ;; *) fatal "Only https:// URLs are supported for K3S_URL (have ${K3S_URL})" ;; esac
        [ -n "${K3S_TOKEN:-}${K3S_TOKEN_FILE:-}${K3S_CLUSTER_SECRET:-}" ] ||
            fatal "Defined K3S_URL, but not K3S_TOKEN, K3S_TOKEN_FILE or K3S_CLUSTER_SECRET."
    fi
    command="$role$(quoted "$@")"
}

set_up() {
    [ "$(id -u)" -eq 0 ] || fatal "you need to be root to perform this install"
    case "${INSTALL_K3S_SKIP_DOWNLOAD:-}" in
        true | binary) ;;
        *) fatal "set INSTALL_K3S_SKIP_DOWNLOAD=true: the stand-in downloads nothing" ;;
    esac
    bin=${INSTALL_K3S_BIN_DIR:-$(default_bin)}
    systemd=${INSTALL_K3S_SYSTEMD_DIR:-/etc/systemd/system}
    type=${INSTALL_K3S_TYPE:-notify}
    if [ -n "${INSTALL_K3S_NAME:-}" ]; then
        name=k3s-$INSTALL_K3S_NAME
    elif [ "$role" = agent ]; then
        name=k3s-agent
    else
        name=k3s
    fi
    unit=$systemd/$name.service
    if [ "$role" = agent ]; then uninstall=k3s-agent-uninstall.sh; else uninstall=$name-uninstall.sh; fi
    [ -x "$bin/k3s" ] || fatal "Executable k3s binary not found at $bin/k3s"
}

default_bin() {
    if touch /usr/local/bin/.k3s-writable 2>/dev/null; then
        rm -f /usr/local/bin/.k3s-writable
        echo /usr/local/bin
    else
        echo /opt/bin
    fi
}

make_links() {
    [ "${INSTALL_K3S_SYMLINK:-}" != skip ] || return 0
    for link in kubectl crictl ctr; do
        if [ "${INSTALL_K3S_SYMLINK:-}" = force ] || { [ ! -e "$bin/$link" ] && ! command -v $link >/dev/null 2>&1; }; then
            info "Creating $bin/$link symlink to k3s"
            ln -sf k3s "$bin/$link"
        fi
    done
}

write_killall() {
    info "Creating killall script $bin/k3s-killall.sh"
    cat > "$bin/k3s-killall.sh" <<'KILLALL'
#!/bin/sh
# STAND-IN for K3s' k3s-killall.sh: stops what the stand-in started. Like the real one it stops the units.
[ "$(id -u)" -eq 0 ] || { echo "stand-in k3s-killall.sh: must be run as root" >&2; exit 1; }
for unit in /etc/systemd/system/k3s*.service; do
    [ ! -f "$unit" ] || systemctl stop "$(basename "$unit")"
done
for path in /proc/[0-9]*; do
    line=$(tr '\0' ' ' < "$path/cmdline" 2>/dev/null) || continue
    case "$line" in
        *"/bin/k3s server "* | *"/bin/k3s agent "* | *"s_server "*"/run/standin-k3s/"*) kill -9 "${path#/proc/}" 2>/dev/null ;;
    esac
done
for link in cni0 flannel.1 flannel-v6.1 kube-ipvs0 flannel-wg flannel-wg-v6; do
    [ ! -d "/sys/class/net/$link" ] || ip link delete "$link" 2>/dev/null
done
rm -rf /run/standin-k3s /run/k3s /run/flannel
exit 0
KILLALL
    chmod 755 "$bin/k3s-killall.sh"
}

write_uninstall() {
    info "Creating uninstall script $bin/$uninstall"
    cat > "$bin/$uninstall" <<UNINSTALL
#!/bin/sh
# STAND-IN for K3s' uninstall script: removes what the stand-in release put on this host.
[ "\$(id -u)" -eq 0 ] || { echo "stand-in $uninstall: must be run as root" >&2; exit 1; }
{
    $bin/k3s-killall.sh
    systemctl disable $name 2>/dev/null
    systemctl reset-failed $name 2>/dev/null
    rm -f $unit $unit.env
    systemctl daemon-reload
    for link in kubectl crictl ctr; do
        if [ "\$(readlink $bin/\$link)" = k3s ]; then rm -f $bin/\$link; fi
    done
    rm -rf /etc/rancher/k3s /run/k3s /run/flannel /var/lib/rancher/k3s /var/lib/kubelet
    rmdir /var/lib/rancher 2>/dev/null
    rm -f $bin/k3s $bin/k3s-killall.sh $bin/$uninstall
    exit 0
}
UNINSTALL
    chmod 755 "$bin/$uninstall"
}

write_unit() {
    info "env: Creating environment file $unit.env"
    (umask 077; env | grep '^K3S_\|^CONTAINERD_' > "$unit.env" || :
     env | grep -i '^\(NO\|HTTP\|HTTPS\)_PROXY=' >> "$unit.env" || :)
    chmod 600 "$unit.env"
    info "systemd: Creating service file $unit"
    cat > "$unit" <<UNIT
# STAND-IN for K3s' unit: the same properties, for tests and rehearsal of mk8s.
[Unit]
Description=Stand-in for K3s ($role)
Wants=network-online.target
After=network-online.target

[Install]
WantedBy=multi-user.target

[Service]
Type=$type
EnvironmentFile=-/etc/default/%N
EnvironmentFile=-/etc/sysconfig/%N
EnvironmentFile=-$unit.env
SyslogIdentifier=k3s-standin
KillMode=process
Delegate=yes
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity
TimeoutStartSec=0
Restart=always
RestartSec=5s
ExecStartPre=-/sbin/modprobe br_netfilter
ExecStartPre=-/sbin/modprobe overlay
ExecStart=$bin/k3s $command
UNIT
}

hashes() {
    sha256sum "$bin/k3s" "$unit" "$unit.env" 2>/dev/null || :
}

start() {
    if [ "${INSTALL_K3S_SKIP_ENABLE:-}" = true ]; then
        return 0
    fi
    info "systemd: Enabling $name unit"
    systemctl enable "$unit" >/dev/null 2>&1
    systemctl daemon-reload
    if [ "${INSTALL_K3S_SKIP_START:-}" = true ]; then
        return 0
    fi
    if [ "$before" = "$(hashes)" ] && [ "${INSTALL_K3S_FORCE_RESTART:-}" != true ]; then
        info "No change detected so skipping service start"
        return 0
    fi
    info "systemd: Starting $name"
    systemctl restart "$name"
}

# shellcheck disable=SC2086  # the words of INSTALL_K3S_EXEC are words
set -- ${INSTALL_K3S_EXEC:-} "$@"
choose_role "$@"
set_up
before=$(hashes)
make_links
write_killall
write_uninstall
write_unit
start
