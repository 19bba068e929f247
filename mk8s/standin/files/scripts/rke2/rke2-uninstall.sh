#!/bin/sh
# STAND-IN for RKE2's rke2-uninstall.sh: removes everything that the stand-in release put on this host.
[ "$(id -u)" -eq 0 ] || { echo "stand-in rke2-uninstall.sh: must be run as root" >&2; exit 1; }
PREFIX=/usr/local

remove_units() {
    for role in server agent; do
        systemctl disable "rke2-$role.service" 2>/dev/null
        systemctl reset-failed "rke2-$role.service" 2>/dev/null
        rm -f "$PREFIX/lib/systemd/system/rke2-$role.service" "$PREFIX/lib/systemd/system/rke2-$role.env" \
            "/etc/systemd/system/rke2-$role.service"
    done
    systemctl daemon-reload
}

remove_files() {
    rm -rf "$PREFIX/share/rke2" /etc/rancher/rke2 /etc/rancher/node /etc/cni /opt/cni/bin /var/lib/cni \
        /var/lib/kubelet /var/lib/rancher/rke2 /var/log/pods /var/log/containers /var/log/calico
    rmdir /etc/rancher /var/lib/rancher 2>/dev/null
    rm -f "$PREFIX/bin/rke2" "$PREFIX/bin/rke2-killall.sh" "$PREFIX/bin/rke2-uninstall.sh"
}

# The whole script is read before it removes itself.
{
    "$PREFIX/bin/rke2-killall.sh"
    remove_units
    remove_files
    exit 0
}
