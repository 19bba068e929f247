"""The script and the unit that keep the routes to other nodes' pods. Text only.

The routes carry a protocol number of their own, so the kernel itself remembers which ones are ours: there
is no second list that could differ from it.
"""

from __future__ import annotations

__all__ = ["ROUTES_SCRIPT", "ROUTES_UNIT"]

ROUTES_SCRIPT = """\
#!/bin/sh
# Written by mk8s. Routes to the pods of other nodes, and masquerading of what leaves the pod network.
#   routes.sh set|check FILE POD-NETWORK     FILE has lines such as "10.244.1.0/24 via 10.0.0.12"
# Routes have the protocol 109: those that are not in the file any more are removed, all others are not ours.
set -eu
PATH=$PATH:/usr/sbin:/sbin
proto=109 verb=$1 file=$2 pods=$3
here() { ip -4 route show proto $proto | while read -r cidr _ via _; do echo "$cidr via $via"; done; }
command -v iptables >/dev/null || { echo "mk8s: there is no iptables on this host" >&2; exit 69; }
masquerades() {
  iptables -w -t nat "$1" POSTROUTING -s "$pods" ! -d "$pods" -m comment --comment mk8s-pods -j MASQUERADE
}
missing() { here | { now=$(cat); while read -r line; do
  case "
$now
" in *"
$line
"*) ;; *) echo "$line";; esac
done <"$file"; }; }
surplus() { here | while read -r line; do grep -Fqx -- "$line" "$file" || echo "$line"; done; }

case $verb in
  set)
    old=$(surplus) new=$(missing)  # all is read before anything is changed
    [ -z "$old" ] || while read -r cidr _ via; do ip route del "$cidr" via "$via" proto $proto; done <<END
$old
END
    [ -z "$new" ] || while read -r cidr _ via; do ip route replace "$cidr" via "$via" proto $proto; done <<END
$new
END
    masquerades -C 2>/dev/null || masquerades -A
    ;;
  check)
    missing | { ! read -r line || { echo "no route $line"; exit 1; }; }
    surplus | { ! read -r line || { echo "a route of a node that is gone: $line"; exit 1; }; }
    masquerades -C 2>/dev/null || { echo "pods' traffic to the outside is not masqueraded"; exit 1; }
    ;;
esac
"""

ROUTES_UNIT = """\
# Written by mk8s.
[Unit]
Description=Routes to the pods of other nodes
Wants=network-online.target
After=network-online.target
# networkd removes routes that it does not know when it is restarted
PartOf=systemd-networkd.service

[Service]
Type=oneshot
RemainAfterExit=yes
ExecStart=/bin/sh {words}

[Install]
WantedBy=multi-user.target
"""
