"""What a manifest says of where things come from: mirrors, versions of components, registries. Pure.

The same laws as in `values`: a rule says what is wrong with a text and never mends it; no rule knows
where its value stands. `VALUES` says which key has which rule, `RULES` what the keys of mappings must
look like and how parts fit together; `checking` puts them beside its own.

Begin reading at VALUES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from machines.errors import Fault
from machines.words import did_you_mean, shown
from mk8s.manifest import networks, values
from mk8s.manifest.source import EACH, CrossRule, Source
from mk8s.manifest.values import Rule, Wrong

__all__ = ["COMPONENTS", "RULES", "VALUES", "component_version", "endpoint", "mirrored", "registry"]

COMPONENTS = ("containerd", "runc", "cni-plugins", "crictl", "etcd")
ANYTHING = "*"
LONGEST_PATTERN = 512  # characters
_VERSION = re.compile(r"v?[0-9]{1,4}\.[0-9]{1,4}\.[0-9]{1,4}(-(alpha|beta|rc)\.?[0-9]{1,3})?")
_SHORT_VERSION = re.compile(r"v?[0-9]{1,4}(\.[0-9]{1,4})?")
_HOST = re.compile(r"(\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/@\s]+))(:(?P<port>[0-9]{1,5}))?")
_PORTS = 65536


def mirrored(text: str) -> Wrong | None:
    """What a mirror stands for: the beginning of a URL, a host or registry (``ghcr.io``), or ``*``."""
    host = text.partition("/")[0]
    named = "://" in text or (_is_host(host) and (host == "localhost" or not host.isalnum()))
    whole = text if "://" in text else f"https://{text}"
    if text == ANYTHING:
        return None
    if not named or text.startswith("file:") or values.url(whole) is not None:
        hint = 'the beginning of an https:// or http:// URL, a host, or "*" for every other'
        return Wrong(f"{shown(text)} is not the beginning of a URL", hint)
    return _plain(whole)


def mirror(text: str) -> Wrong | None:
    """Where a mirror is: the beginning of a URL, or a folder as file:///path."""
    return values.url(text) or _plain(text)


def _plain(text: str) -> Wrong | None:
    """Without what cannot stand in the beginning of a URL."""
    parts = urlsplit(text)
    if parts.password is not None:
        return Wrong("this URL has a password in it", "secrets never stand in the manifest")
    if parts.query or parts.fragment or text.endswith(("?", "#")):
        return Wrong(f"{shown(text)} has a query", "the rest of a path is put behind it: leave out ? and #")
    return None


def component_version(text: str) -> Wrong | None:
    """The whole version of a program, as its project's release is called, with or without the v."""
    if _VERSION.fullmatch(text):
        return None
    hint = "such as 1.7.27, all three numbers"
    if _SHORT_VERSION.fullmatch(text):
        return Wrong(f"{shown(text)} is not a whole version", hint)
    return Wrong(f"{shown(text)} is not a version", hint)


def registry(text: str) -> Wrong | None:
    """A registry by host and port, as it stands before the first slash of an image's name."""
    if _is_host(text):
        return None
    return Wrong(f"{shown(text)} is not a registry", _registry_hint(text))


def _registry_hint(text: str) -> str:
    _, scheme, rest = text.rpartition("://")
    host = rest.partition("/")[0]
    if host != text and _is_host(host):
        return f"without the {'scheme' if scheme else 'path'}: {host}"
    return "such as docker.io or registry.example.org:5000"


def endpoint(text: str) -> Wrong | None:
    """The address of a registry's mirror."""
    if "://" not in text:
        return Wrong(f"{shown(text)} is not the address of a mirror", f"with its scheme: https://{text}")
    if values.url(text) is not None or urlsplit(text).scheme not in ("http", "https"):
        hint = "such as https://registry.example.org:5000"
        return Wrong(f"{shown(text)} is not the address of a mirror", hint)
    hint = "how a registry is entered stands in `registries.access`"
    return Wrong("this address has a password or a query in it", hint) if _plain(text) else None


def pattern(text: str) -> Wrong | None:
    """A regular expression of a runtime's (Go's form): only what no form knows is refused."""
    if text and len(text) <= LONGEST_PATTERN and text.isprintable():
        return None
    return Wrong(f"{shown(text)} is not a pattern", 'such as "^library/(.*)"')


def user_name(text: str) -> Wrong | None:
    """A login at a registry: printable, on one line."""
    if text.strip() and text.isprintable():
        return None
    return Wrong(f"{shown(text)} is not a user name", "on one line, such as robot$mk8s")


def _is_host(text: str) -> bool:
    """Whether a text is ``host`` or ``host:port``; an IPv6 address stands in brackets."""
    found = _HOST.fullmatch(text)
    if found is None or int(found["port"] or 1) not in range(1, _PORTS):
        return False
    return values.address(found["six"] or found["host"]) is None


VALUES: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (("mirrors", EACH), mirror),
    (("components", EACH), component_version),
    (("images", EACH), networks.image),
    (("limits", "bandwidth"), values.rate_text),
    (("nodes", EACH, "group"), values.label),
    (("registries", "default"), registry),
    (("registries", "mirrors", EACH, "endpoints", EACH), endpoint),
    (("registries", "mirrors", EACH, "rewrite", EACH), pattern),
    (("registries", "access", EACH, "username"), user_name),
    (("registries", "access", EACH, "password_env"), values.environment_name),
    (("registries", "access", EACH, "ca_file"), values.path_text),
)


def _names(source: Source, where: tuple[str, ...], rule: Rule) -> Iterator[Fault]:
    for key in source.mapping(*where):
        if wrong := rule(key):
            yield source.fault((*where, key), wrong)


def names_of_mirrors(source: Source) -> Iterator[Fault]:
    """What is mirrored is the beginning of a URL."""
    yield from _names(source, ("mirrors",), mirrored)


def names_of_components(source: Source) -> Iterator[Fault]:
    """Only programs that mk8s fetches in a version of their own."""
    for key in source.mapping("components"):
        if key not in COMPONENTS:
            problem = f"{shown(key)} is no component with a version of its own"
            yield source.fault(("components", key), Wrong(problem, did_you_mean(key, COMPONENTS)))


def names_of_registries(source: Source) -> Iterator[Fault]:
    """Hosts; and for mirrors also the star, which stands for every other."""
    hosts: tuple[tuple[str, Rule], ...] = (("mirrors", _registry_or_any), ("access", registry))
    for part, rule in hosts:
        yield from _names(source, ("registries", part), rule)


def _registry_or_any(text: str) -> Wrong | None:
    return None if text == ANYTHING else registry(text)


def logins_are_whole(source: Source) -> Iterator[Fault]:
    """A user without a password cannot enter, and a password needs its user."""
    for path, entry in source.each("registries", "access", EACH):
        if isinstance(entry, dict) and ("username" in entry) != ("password_env" in entry):
            both = ("username", "password_env")
            given, other = both if "username" in entry else both[::-1]
            yield source.fault((*path, given), Wrong(f"stands without `{other}`", "give both, or neither"))


RULES: tuple[CrossRule, ...] = (
    names_of_mirrors,
    names_of_components,
    names_of_registries,
    logins_are_whole,
)
