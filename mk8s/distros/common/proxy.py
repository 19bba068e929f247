"""The HTTP proxy of a node's services: environment for systemd units. Pure.

What lies inside never goes through the proxy: the cluster's networks, its nodes, its endpoint, its DNS
names. Addresses of nodes that join later are not known to units that run: `proxy.no_proxy` with the
network of the nodes, such as 10.0.0.0/16, says it once for all (then they are not listed one by one).

Law: no password. A unit's environment may be read by every user of the host, so `faults` refuses one.

Source: Go's net/http, which all these services use: names with a dot before them hold for subdomains,
networks in CIDR form are understood, loopback is never proxied. Begin reading at `variables`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import PurePosixPath
from typing import TypeAlias
from urllib.parse import urlsplit

from mk8s.cluster import Cluster, Node, Proxy
from mk8s.commands import has_folder, make_folder
from mk8s.steps import Run, Step, WriteFile

__all__ = ["drop_in", "drop_in_path", "environment_file", "faults", "no_proxy", "steps", "variables"]

Net: TypeAlias = ipaddress.IPv4Network | ipaddress.IPv6Network

UNITS = PurePosixPath("/etc/systemd/system")
DROP_IN = "50-mk8s-proxy.conf"
HEAD = "# written by mk8s"
ALWAYS = ("localhost", "127.0.0.0/8", "::1")
SCHEMES = ("http", "https", "socks5")
PLAIN = re.compile(r"[A-Za-z0-9.:/@%_~!*+=&?\[\]-]+")  # what stands for itself in a unit's file
FORM = "write such as http://proxy.example:3128"


def variables(
    cluster: Cluster,
    node: Node,
    networks: Sequence[str] = (),
    domain: str = "cluster.local",
) -> dict[str, str]:
    """The environment by name; empty without a proxy. `networks`: of pods and services, CIDR."""
    proxy = node.proxy
    if proxy is None or not (proxy.http or proxy.https):
        return {}
    given = {"HTTP_PROXY": proxy.http, "HTTPS_PROXY": proxy.https}
    inside = no_proxy(cluster, proxy, networks, domain)
    return {name: value for name, value in given.items() if value} | {"NO_PROXY": ",".join(inside)}


def no_proxy(cluster: Cluster, proxy: Proxy, networks: Sequence[str], domain: str) -> tuple[str, ...]:
    """What is asked for directly: the user's words, then the cluster's own that these do not cover."""
    asked = [cluster.joins.address] if cluster.joins else []
    nodes = [word for node in cluster.nodes for word in dict.fromkeys((node.address, node.ip))]
    own = (*(f".{domain}" for domain in ("svc", domain)), *asked, *filter(None, [cluster.endpoint]), *nodes)
    return _joined((*proxy.no_proxy, *ALWAYS, *networks), own)


@lru_cache(maxsize=64)  # all nodes of a large cluster have the same
def _joined(first: tuple[str, ...], more: tuple[str, ...]) -> tuple[str, ...]:
    covered = [net for word in first if (net := _network(word))]
    return tuple(dict.fromkeys([*first, *(word for word in more if not _is_covered(word, covered))]))


def _network(word: str) -> Net | None:
    try:
        return ipaddress.ip_network(word, strict=False)
    except ValueError:
        return None


def _is_covered(word: str, networks: Sequence[Net]) -> bool:
    try:
        address = ipaddress.ip_address(word)
    except ValueError:
        return False
    return any(address in network for network in networks)


def environment_file(values: Mapping[str, str]) -> bytes:
    """Lines for a unit's `EnvironmentFile=`."""
    return "".join([f"{HEAD}\n", *(f'{name}="{value}"\n' for name, value in values.items())]).encode()


def drop_in(values: Mapping[str, str]) -> bytes:
    """A drop-in for a unit. There, ``%`` begins a specifier."""
    lines = [f'Environment="{name}={value.replace("%", "%%")}"' for name, value in values.items()]
    return "\n".join([HEAD, "[Service]", *lines, ""]).encode()


def drop_in_path(unit: str) -> PurePosixPath:
    return UNITS / f"{unit}.d" / DROP_IN


def steps(values: Mapping[str, str], unit: str) -> list[Step]:
    """The drop-in of a unit (``rke2-server.service``), written before systemd reads its files again.

    Where the manifest has a proxy no more, a drop-in of an earlier run stays: nobody knows that it was ours.
    """
    if not values:
        return []
    path = drop_in_path(unit)
    return [
        Run(f"make the folder {path.parent}", make_folder(path.parent), has_folder(path.parent)),
        WriteFile(f"write {path}", path, drop_in(values)),
    ]


def faults(cluster: Cluster) -> Iterator[str]:
    """URLs that are none, passwords, and words that would become something else in a unit's file."""
    told: set[str] = set()
    for node in cluster.nodes:
        for fault in _of(node.proxy) if node.proxy else ():
            if fault not in told:  # most nodes have the cluster's own
                told.add(fault)
                yield fault


def _of(proxy: Proxy) -> Iterator[str]:
    for name, url in (("http", proxy.http), ("https", proxy.https)):
        if url:
            yield from _url(f"proxy.{name}", url)
    for word in proxy.no_proxy:
        if not PLAIN.fullmatch(word) or "," in word:
            yield f"proxy.no_proxy: {word!r} is no host, suffix or network; write such as .example.com"
    if proxy.no_proxy and not (proxy.http or proxy.https):
        yield "proxy.no_proxy: means nothing without a proxy; give `http` or `https`, or leave it out"


def _url(path: str, url: str) -> Iterator[str]:
    try:
        parts = urlsplit(url)
        known = parts.scheme in SCHEMES and bool(parts.hostname) and (parts.port or 0) >= 0
        secret = parts.password is not None
    except ValueError:
        known, secret = False, "@" in url
    if secret:
        yield (
            f"{path}: has a password in it, and every user of a node may read a service's environment; "
            "let the proxy know the nodes by their addresses, or put a proxy of your own before it"
        )
    elif not known or not PLAIN.fullmatch(url):
        yield f"{path}: {url!r} is no URL of a proxy; {FORM}"
