"""haproxy on the servers, in front of the API and of whatever else nodes register at. Pure text.

It passes connections on as they are (TLS ends in the servers). Its ports are `names.SHIFT` above those of
the servers, for both run on the same hosts. A server counts when its port takes connections.

Source: the TCP check of RKE2's page on load balancers. Watches stay open for long, so a silent connection
is kept for hours; one to a server that is down is closed at once, so that a client goes on elsewhere.
How many connections there may be follows from the host's own limit of open files: a number above that
limit would keep haproxy from starting.
"""

from __future__ import annotations

from collections.abc import Sequence

from mk8s.cluster import Cluster
from mk8s.endpoints.names import SHIFT, in_url

__all__ = ["config"]

HEAD = """\
# written by mk8s; changes are written over
global
  user haproxy
  group haproxy

defaults
  mode tcp
  timeout connect 5s
  timeout client 4h
  timeout server 4h
  option clitcpka
  option srvtcpka
  balance leastconn
  default-server check inter 2s fall 3 rise 2 on-marked-down shutdown-sessions
"""


def config(cluster: Cluster, ports: Sequence[int]) -> bytes:
    """The whole haproxy.cfg. `ports`: of the servers."""
    return "\n".join([HEAD, *(_port(cluster, port) for port in ports)]).encode()


def _port(cluster: Cluster, port: int) -> str:
    servers = [f"  server {node.name} {in_url(node.ip)}:{port}" for node in cluster.servers]
    lines = [
        f"frontend mk8s-{port}",
        f"  bind {_everywhere(cluster)}:{port + SHIFT}",
        f"  default_backend mk8s-{port}",
        "",
        f"backend mk8s-{port}",
        "  option tcp-check",
        *servers,
    ]
    return "\n".join([*lines, ""])


def _everywhere(cluster: Cluster) -> str:
    """All of a host's addresses of the endpoint's family: it may get the endpoint at any moment."""
    return "::" if ":" in (cluster.endpoint or "") else "*"
