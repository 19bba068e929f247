#!/bin/sh
# STAND-IN for RKE2's rke2-killall.sh: stops what the stand-in started. Like the real one it stops the units.
[ "$(id -u)" -eq 0 ] || { echo "stand-in rke2-killall.sh: must be run as root" >&2; exit 1; }

stop_units() {
    for unit in rke2-server.service rke2-agent.service; do
        systemctl stop "$unit" 2>/dev/null
    done
}

# What a unit left behind: only processes whose program is the stand-in or its openssl.
end_leftovers() {
    for path in /proc/[0-9]*; do
        line=$(tr '\0' ' ' < "$path/cmdline" 2>/dev/null) || continue
        case "$line" in
            *"/bin/rke2 server "* | *"/bin/rke2 agent "* | *"s_server "*"/run/standin-rke2/"*) kill -9 "${path#/proc/}" 2>/dev/null ;;
        esac
    done
}

remove_links() {
    for link in cni0 flannel.1 vxlan.calico cilium_vxlan cilium_net kube-ipvs0 nodelocaldns; do
        [ ! -d "/sys/class/net/$link" ] || ip link delete "$link" 2>/dev/null
    done
}

stop_units
end_leftovers
remove_links
rm -rf /run/standin-rke2
rm -f /var/lib/rancher/rke2/agent/pod-manifests/*.yaml
exit 0
