"""keepalived on the servers: one of them has the endpoint's address. Pure text.

The servers are named to each other, so nothing is sent to all hosts of the network, and another cluster
with the same number is not disturbed. The first server of the manifest has the highest priority; one whose
haproxy does not listen falls behind all others, so while none does (at the very beginning) the order is kept
and the first server holds the address that it is going to answer at.

VRRP is IP protocol 112, which has no port: firewalls between the servers must let it pass. Its password
goes in clear text over the network and keeps off accidents, not attackers; there is none with IPv6.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import PurePosixPath

from mk8s.cluster import Cluster, Node
from mk8s.endpoints.names import port
from mk8s.needs import Kept, Need, Random

__all__ = ["CHECK", "INTERFACE", "MOST_SERVERS", "PASSWORD", "check_script", "config", "needs"]

CHECK = PurePosixPath("/usr/libexec/keepalived/mk8s-check")  # where SELinux lets keepalived run what it likes
# A haproxy whose last reload failed is active for systemd and leads nowhere, so its sockets are looked for.
CHECK_SCRIPT = """\
#!/bin/sh
# written by mk8s: whether this server's haproxy listens; keepalived asks every two seconds
for port in {ports}; do
  grep -q ":$port 0*:0000 0A " /proc/net/tcp /proc/net/tcp6 2>/dev/null || exit 1
done
"""
INTERFACE = "@INTERFACE@"  # put in on the host: the one that has the node's address
PASSWORD = "vrrp-password"  # noqa: S105 - a name, in Kept.words
HIGHEST = 200  # of 254
BEHIND = 100  # what a server loses without its haproxy: more than there are servers
MOST_SERVERS = BEHIND - 1

CONFIG = """\
# written by mk8s; changes are written over
global_defs {{
  router_id {name}
  enable_script_security
  script_user root
}}

vrrp_script haproxy {{
  script "{check}"
  interval 2
  timeout 5
  fall 2
  rise 2
  weight -{behind}
}}

vrrp_instance mk8s {{
  state BACKUP
  interface {interface}
  virtual_router_id {router_id}
  priority {priority}
  advert_int 1
{peers}{password}  virtual_ipaddress {{
    {address}/{whole} dev {interface}
  }}
  track_script {{
    haproxy
  }}
}}
"""


def needs(cluster: Cluster) -> list[Need]:
    """The password that the servers know each other by."""
    held = cluster.balancer.by == "keepalived" and cluster.endpoint
    return [Random(PASSWORD, "word-8")] if held else []


def config(cluster: Cluster, node: Node, kept: Kept) -> bytes:
    """A server's keepalived.conf, but for the interface where the manifest names none. Secret."""
    address = cluster.endpoint or ""
    by_six = ":" in address
    text = CONFIG.format(
        name=node.name,
        check=CHECK,
        behind=BEHIND,
        interface=cluster.balancer.interface or INTERFACE,
        router_id=cluster.balancer.router_id,
        priority=HIGHEST - _place(cluster, node),
        peers=_peers(cluster, node),
        password="" if by_six else _password(kept.words[PASSWORD]),
        address=address,
        whole=128 if by_six else 32,
    )
    return text.encode()


def check_script(cluster: Cluster, ports: Sequence[int]) -> bytes:
    """What keepalived asks. `ports`: of the servers; the kernel's table of sockets has haproxy's in hex."""
    return CHECK_SCRIPT.format(ports=" ".join(f"{port(cluster, own):04X}" for own in ports)).encode()


def _place(cluster: Cluster, node: Node) -> int:
    return [server.name for server in cluster.servers].index(node.name)


def _peers(cluster: Cluster, node: Node) -> str:
    """Nothing for a server alone: there is nobody to name."""
    others = [server.ip for server in cluster.servers if server.name != node.name]
    if not others:
        return ""
    lines = "".join(f"    {other}\n" for other in others)
    return f"  unicast_src_ip {node.ip}\n  unicast_peer {{\n{lines}  }}\n"


def _password(word: str) -> str:
    return f"  authentication {{\n    auth_type PASS\n    auth_pass {word[:8]}\n  }}\n"
