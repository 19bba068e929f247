"""What a single value of a manifest must look like: one small rule for each kind. Pure.

A rule takes text and says what is wrong with it, or nothing. It never mends a value: whoever wrote
``10.0.0.300`` did not mean a host name, and whoever wrote ``; rm -rf /`` is told so. Messages quote
the offending text through `shown`, so that no control character reaches a terminal.

No rule knows where its value stands; `checking` does. The rules of versions stand in `versions`, those
of networks in `networks`.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TypeAlias
from urllib.parse import urlsplit

from machines import forms
from machines.words import did_you_mean, shown

__all__ = [
    "Rule",
    "Wrong",
    "address",
    "arch",
    "artifact_id",
    "budget",
    "checksum",
    "distro",
    "duration",
    "environment_name",
    "file_name",
    "install_method",
    "ip_of",
    "jump",
    "jump_parts",
    "label",
    "make_label",
    "one_of",
    "path_text",
    "rate",
    "rate_text",
    "role",
    "url",
    "user",
]

_LABEL = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
_HOST_LABEL = re.compile(r"[A-Za-z0-9]([A-Za-z0-9-]{0,61}[A-Za-z0-9])?")
_USER = re.compile(r"[A-Za-z_][A-Za-z0-9_.@-]{0,63}")
_ENVIRONMENT = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_ARTIFACT_ID = re.compile(r"[A-Za-z][A-Za-z0-9_-]{0,63}")
_FILE_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._+~%-]{0,254}")  # packages have ~ and %3a in theirs
_CHECKSUM = re.compile(r"(sha256:)?[0-9A-Fa-f]{64}")
_BUDGET = re.compile(r"[0-9]{1,6}|[0-9]{1,3}%")
_ARCH_ALIASES = {"x86_64": "amd64", "x64": "amd64", "x86-64": "amd64", "aarch64": "arm64", "armv8": "arm64"}
_ROLE_ALIASES = {
    "master": "server",
    "controlplane": "server",
    "control-plane": "server",
    "etcd": "server",
    "worker": "agent",
    "node": "agent",
}
_HOST_AT_MOST = 253
_LABEL_AT_MOST = 63
LONGEST = 366 * 86400.0  # seconds; a longer wait is a typing mistake


@dataclass(frozen=True, slots=True)
class Wrong:
    """What is wrong with a value, and what to do about it."""

    message: str
    hint: str = ""


Rule: TypeAlias = Callable[[str], Wrong | None]


def one_of(what: str, *names: str) -> Rule:
    """The rule of a value that is one of a few words."""

    def rule(text: str) -> Wrong | None:
        return None if text in names else Wrong(f"{shown(text)} is not {what}", did_you_mean(text, names))

    return rule


install_method = one_of("a way to install", "tar", "script")


def role(text: str) -> Wrong | None:
    """server or agent; never guessed."""
    if text in ("server", "agent"):
        return None
    problem = f"{shown(text)} is not a role"
    if text.lower() == "primary":
        return Wrong(problem, "write `role: server` and `primary: true`")
    known = _ROLE_ALIASES.get(text.strip().lower())
    return Wrong(problem, _perhaps(known) or did_you_mean(text, ("server", "agent")))


def _perhaps(known: str | None) -> str:
    return f"did you mean {known!r}?" if known else ""


def arch(text: str) -> Wrong | None:
    """amd64 or arm64, by the names that releases use."""
    if text in ("amd64", "arm64"):
        return None
    known = _ARCH_ALIASES.get(text.strip().lower())
    hint = _perhaps(known) or did_you_mean(text, ("amd64", "arm64"))
    return Wrong(f"{shown(text)} is not a processor that mk8s installs on", hint)


def distro(text: str, known: Iterable[str]) -> Wrong | None:
    """A distro that there is a driver for."""
    names = list(known)
    if text in names:
        return None
    return Wrong(f"{shown(text)} is not a distro", did_you_mean(text, names))


def address(text: str) -> Wrong | None:
    """An IPv4 or IPv6 address that a host can have, or a host name."""
    found = ip_of(text)
    if found is not None:
        return _usable(text, found)
    if _is_host_name(text):
        return None
    return Wrong(f"{shown(text)} is neither an IP address nor a host name", _address_hint(text))


def ip_of(text: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    """The IP address that a text is, if it is one."""
    try:
        return ipaddress.ip_address(text)
    except ValueError:
        return None


def _usable(text: str, found: ipaddress.IPv4Address | ipaddress.IPv6Address) -> Wrong | None:
    if "%" in text:
        return Wrong(f"{shown(text)} is an address of one link only", "give one that all nodes can reach")
    if found.is_unspecified or found.is_multicast or str(found) == "255.255.255.255":
        return Wrong(f"{shown(text)} is not the address of one host", "give the node's own address")
    return None


def _is_host_name(text: str) -> bool:
    labels = text.split(".")
    if len(text) > _HOST_AT_MOST or not all(_HOST_LABEL.fullmatch(label) for label in labels):
        return False
    return not labels[-1].isdigit()  # 10.0.0.300 and 10.0.0 are mistyped addresses


def _address_hint(text: str) -> str:
    if text.startswith("[") and text.endswith("]"):
        return "write an IPv6 address without the brackets"
    if "://" in text:
        return "without the scheme: only the host"
    if re.fullmatch(r"[^\s:/@]+:[0-9]+", text):
        return "without the port: that is the key `port`"
    if re.fullmatch(r"[^\s@]+@[^\s@]+", text):
        return "without the login name: that is the key `user`"
    if re.fullmatch(r"[0-9.]+", text):
        return "an IPv4 address is four numbers from 0 to 255"
    return "such as 192.168.1.10, fd00::10 or node-1.example.org"


def user(text: str) -> Wrong | None:
    """A login name that no program can take for an option or a command."""
    if _USER.fullmatch(text):
        return None
    hint = "it begins with a letter or _; then letters, digits and . _ @ - may follow"
    return Wrong(f"{shown(text)} is not a login name", hint)


def label(text: str) -> Wrong | None:
    """A DNS label: what names of clusters and nodes are."""
    if _LABEL.fullmatch(text):
        return None
    close = make_label(text)
    hint = "small letters, digits and - between them, at most 63"
    return Wrong(f"{shown(text)} is not a name", f"{hint}; such as {close!r}" if close else hint)


def make_label(text: str) -> str:
    """The nearest DNS label, or nothing when no letter and no digit is left."""
    return re.sub(r"[^a-z0-9]+", "-", text.lower())[:_LABEL_AT_MOST].strip("-")


def artifact_id(text: str) -> Wrong | None:
    """An id under `artifacts`."""
    if _ARTIFACT_ID.fullmatch(text):
        return None
    return Wrong(f"{shown(text)} is not an artifact id", "such as binary, images or checksums")


def file_name(text: str) -> Wrong | None:
    """The name of a file in the artifacts folder: never a path."""
    if _FILE_NAME.fullmatch(text) and ".." not in text:
        return None
    hint = "a plain name, no folders; the folder is the key `artifacts_dir`"
    return Wrong(f"{shown(text)} is not a file name", hint)


def url(text: str) -> Wrong | None:
    """Where a file can be downloaded from."""
    problem = Wrong(f"{shown(text)} is not a URL", "https://, http:// or file:///, then the whole path")
    if not text.isascii() or not text.isprintable() or " " in text:
        return problem
    try:
        parts = urlsplit(text)
        _ = parts.port  # raises for what is no port
    except ValueError:
        return problem
    if parts.scheme in ("http", "https"):
        return None if parts.hostname else problem
    return None if parts.scheme == "file" and parts.path.startswith("/") else problem


def checksum(text: str) -> Wrong | None:
    """A sha256."""
    if _CHECKSUM.fullmatch(text):
        return None
    return Wrong(f"{shown(text)} is not a sha256", "64 hexadecimal digits, as sha256sum prints them")


def environment_name(text: str) -> Wrong | None:
    """The name of an environment variable. The text is not quoted: it may be the password itself."""
    if _ENVIRONMENT.fullmatch(text):
        return None
    hint = "put the secret into a variable, such as MK8S_PASSWORD, and write the variable's name here"
    return Wrong("this is not the name of an environment variable", hint)


def path_text(text: str) -> Wrong | None:
    """A path on this machine."""
    if text.strip() and text.isprintable():
        return None
    return Wrong(f"{shown(text)} is not a path", "a path seen from the manifest's folder, or from /")


def budget(text: str) -> Wrong | None:
    """How many may fail: a number, or a share up to 100%."""
    if _BUDGET.fullmatch(text) and not (text.endswith("%") and int(text[:-1]) > 100):
        return None
    return Wrong(f"{shown(text)} is not an amount of nodes", "a number such as 0, or a share such as 20%")


def duration(text: str) -> Wrong | None:
    """A length of time that somebody can mean, with its unit: of a bare 5 nobody can tell."""
    try:
        found = forms.duration(text)
    except ValueError:
        return Wrong(f"{shown(text)} is not a length of time", "a number and a unit: 90s, 30m, 2h")
    if not 0 < found <= LONGEST:
        return Wrong(f"{shown(text)} is not a sensible time", "longer than nothing, at most a year")
    return None


_RATE = re.compile(r"(?P<number>[0-9]{1,9}(\.[0-9]{1,3})?) ?(?P<unit>[kKMG]?i?[Bb](it)?)(/s|ps)")
_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "ki": 1 << 10, "mi": 1 << 20, "gi": 1 << 30}


def rate(text: str) -> int:
    """Bytes per second of ``20MB/s``, ``500KiB/s`` or ``100Mbit/s``. Raises ValueError for another form."""
    found = _RATE.fullmatch(text.strip())
    if not found:
        raise ValueError(f"{text!r} is no rate")
    unit = found["unit"]
    in_bits = unit.endswith(("bit", "b"))
    prefix = unit.removesuffix("it").rstrip("Bb").lower()
    return int(float(found["number"]) * _FACTORS[prefix] / (8 if in_bits else 1))


def rate_text(text: str) -> Wrong | None:
    """A rate with its unit, of at least 1 kB/s."""
    try:
        enough = rate(text) >= 1000
    except ValueError:
        return Wrong(f"{shown(text)} is not a rate", "such as 20MB/s, 500KiB/s or 100Mbit/s")
    return None if enough else Wrong(f"{shown(text)} is too slow to be meant", "at least 1kB/s")


_JUMP = re.compile(
    r"((?P<user>[^@\s:/]+)@)?(?P<host>\[[0-9A-Fa-f:.]+\]|[^@\s:/\[\]]+)(:(?P<port>[0-9]{1,5}))?"
)


def jump_parts(text: str) -> tuple[str, str, int]:
    """User (perhaps empty), host and port of ``[user@]host[:port]``. Raises ValueError for something else."""
    found = _JUMP.fullmatch(text)
    port = int(found["port"] or 22) if found else 0
    if not found or not 0 < port < 1 << 16:
        raise ValueError(text)
    return found["user"] or "", found["host"].strip("[]"), port


def jump(text: str) -> Wrong | None:
    """A bastion: ``[user@]host[:port]``; an IPv6 address in brackets."""
    try:
        name, host, _ = jump_parts(text)
    except ValueError:
        return Wrong(
            f"{shown(text)} is not a bastion", "[user@]host[:port], such as ops@bastion.example.org:2222"
        )
    return (user(name) if name else None) or address(host)
