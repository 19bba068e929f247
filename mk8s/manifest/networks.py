"""What single values of networks must look like: CIDRs, domains, interfaces, image names. Pure.

The same law as in `values`: a rule says what is wrong with a text, and never mends it. How networks
and addresses must fit together is `fitting`'s.

Begin reading at `pod_cidr`.
"""

from __future__ import annotations

import ipaddress
import re
from typing import TypeAlias

from machines.words import shown
from mk8s.manifest.values import Wrong, address, ip_of

__all__ = [
    "Cidr",
    "check_name",
    "cidr_of",
    "dns_domain",
    "image",
    "interface",
    "node_ip",
    "pod_cidr",
    "service_cidr",
]

Cidr: TypeAlias = ipaddress.IPv4Network

POD_PREFIXES = (8, 24)
"""Every node has a /24 of it; kubeadm refuses more than 16 bits between the two."""
SERVICE_PREFIXES = (12, 28)
"""The API server takes at most 20 bits of addresses; the cluster's DNS is the tenth of them."""

_DNS_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_DOMAIN_AT_MOST = 190  # names of services in it must stay within the 253 of DNS
_INTERFACE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,14}")
_CHECK = re.compile(r"[a-z][a-z0-9]*([.-][a-z0-9]+)*")
_CHECK_AT_MOST = 63
_HOST = r"(?:[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)*)"
_WORD = r"[a-z0-9]+(?:(?:\.|__?|-+)[a-z0-9]+)*"
_NAME = re.compile(rf"(?:{_HOST}(?::[0-9]{{1,5}})?/)?{_WORD}(?:/{_WORD})*")
_IMAGE = re.compile(
    rf"(?P<name>{_NAME.pattern})(?::(?P<tag>[A-Za-z0-9_][A-Za-z0-9_.-]{{0,127}}))?"
    r"(?P<digest>@sha256:[0-9a-f]{64})?"
)
_IMAGE_AT_MOST = 512


def pod_cidr(text: str) -> Wrong | None:
    """The network of all pods."""
    return _network(text, POD_PREFIXES, "every node gets a /24 of it")


def service_cidr(text: str) -> Wrong | None:
    """The network of services' own addresses."""
    return _network(text, SERVICE_PREFIXES, "the API server takes no larger one")


def cidr_of(text: str) -> Cidr | None:
    """The IPv4 network that a text is, if it is one."""
    try:
        return ipaddress.IPv4Network(text) if "/" in text else None
    except ValueError:
        return None


def _network(text: str, prefixes: tuple[int, int], why: str) -> Wrong | None:
    found = cidr_of(text)
    if found is None or not _is_short(text):
        return Wrong(*_no_network(text))
    least, most = prefixes
    if least <= found.prefixlen <= most:
        return None
    size = "large" if found.prefixlen < least else "small"
    return Wrong(f"{shown(text)} is too {size}", f"from /{least} to /{most}: {why}")


def _is_short(text: str) -> bool:
    """Whether the size is written as a number of bits, not as a mask."""
    return text.partition("/")[2].isdigit()


def _no_network(text: str) -> tuple[str, str]:
    problem = f"{shown(text)} is not a network"
    try:
        meant = ipaddress.ip_network(text, strict=False)
    except ValueError:
        return problem, "an address and a size, such as 10.244.0.0/16"
    if meant.version == 6:
        return f"{shown(text)} is an IPv6 network", "clusters are IPv4 inside for now: such as 10.244.0.0/16"
    if "/" not in text:
        return problem, f"with its size, such as {text}/16"
    if not cidr_of(text):
        return f"{shown(text)} has bits of a host in it", f"did you mean {str(meant)!r}?"
    return problem, f"did you mean {str(meant)!r}?"


def node_ip(text: str) -> Wrong | None:
    """A node's address inside the cluster: an IP, where `address` is a name or another network's."""
    if ip_of(text) is None:
        return Wrong(f"{shown(text)} is not an IP address", "such as 192.168.1.10; names stand in `address`")
    return address(text)


def dns_domain(text: str) -> Wrong | None:
    """The domain of the cluster's services."""
    labels = text.split(".")
    if len(text) <= _DOMAIN_AT_MOST and all(_DNS_LABEL.fullmatch(label) for label in labels):
        return None
    mended = text.strip(".").lower()
    if mended != text and dns_domain(mended) is None:
        return Wrong(f"{shown(text)} is not a DNS domain", f"did you mean {mended!r}?")
    return Wrong(
        f"{shown(text)} is not a DNS domain", "such as cluster.local: small letters, digits, - and ."
    )


def interface(text: str) -> Wrong | None:
    """The name of a network interface: Linux knows at most 15 characters."""
    if _INTERFACE.fullmatch(text):
        return None
    hint = "such as eth0, as `ip link` shows it: at most 15 characters"
    return Wrong(f"{shown(text)} is not the name of a network interface", hint)


def image(text: str) -> Wrong | None:
    """A container image by name and version: without one, runtimes would look for a newer one outside."""
    found = _IMAGE.fullmatch(text) if len(text) <= _IMAGE_AT_MOST else None
    if found is None:
        return Wrong(f"{shown(text)} is not the name of an image", _image_hint(text))
    if found["tag"] or found["digest"]:
        return None
    return Wrong(f"{shown(text)} says no version", "add the tag that the release carries, such as :1.35")


def _image_hint(text: str) -> str:
    if "://" in text:
        return "without the scheme, such as registry.example.org/busybox:1.35"
    if text != text.lower() and _IMAGE.fullmatch(text.lower()):
        return "an image's name has small letters only"
    return "such as registry.example.org/busybox:1.35"


def check_name(text: str) -> Wrong | None:
    """The name of a check. Which checks there are, `mk8s preflight` says."""
    if _CHECK.fullmatch(text) and len(text) <= _CHECK_AT_MOST:
        return None
    hint = "small letters, digits and -; `mk8s preflight` prints each check's name"
    return Wrong(f"{shown(text)} is not the name of a check", hint)
