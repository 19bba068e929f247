"""What the `version` of a manifest must look like, distro by distro. Pure.

A version is the whole release, written as the distro writes it: nothing is added to it or taken away,
because it stands in file names and is compared with what nodes report. Which releases a driver can
really install, and how nodes' versions may differ, is the driver's.

Begin reading at `version`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from machines.words import shown
from mk8s.manifest.values import Wrong

__all__ = ["NEWEST_MINOR", "OLDEST_MINOR", "UPSTREAM", "version"]

UPSTREAM = ("kubeadm", "vanilla")
"""Distros that install Kubernetes' own releases; their versions and networks follow the same rules."""

OLDEST_MINOR, NEWEST_MINOR = 20, 36
"""Kubernetes v1.20 to v1.36: whose configuration formats and flags the drivers of UPSTREAM know."""


@dataclass(frozen=True, slots=True)
class _Tagged:
    """Releases that are Kubernetes' own with an ending of the distro's."""

    name: str
    pattern: re.Pattern[str]
    ending: str  # of the first release that a Kubernetes version gets
    example: str  # of one that exists for v1.28.3


_CORE = r"v1\.[0-9]{1,3}\.[0-9]{1,3}(-[a-z0-9.]{1,20})?"
TAGGED = {
    "rke2": _Tagged(
        "RKE2", re.compile(_CORE + r"\+rke2r[0-9]{1,3}(-[a-z0-9.]{1,20})?"), "+rke2r1", "+rke2r2"
    ),
    "k3s": _Tagged("K3s", re.compile(_CORE + r"\+k3s[0-9]{1,3}"), "+k3s1", "+k3s2"),
    "k0s": _Tagged("k0s", re.compile(_CORE + r"\+k0s\.[0-9]{1,3}"), "+k0s.0", "+k0s.0"),
}

_ANY_RELEASE = re.compile(r"v?[0-9]{1,4}(\.[0-9]{1,4}){1,3}([+~-][A-Za-z0-9.+~-]{1,40})?")
_UPSTREAM = re.compile(r"v1\.(0|[1-9][0-9]{0,2})\.(0|[1-9][0-9]{0,2})")
_MINOR = re.compile(r"v?(1\.(0|[1-9][0-9]{0,2}))")
_KUBERNETES = re.compile(r"v?(1\.[0-9]{1,3})(\.[0-9]{1,3})?")
_WITH_ENDING = re.compile(r"v?(1\.[0-9]{1,3}\.[0-9]{1,3})[+~-]([A-Za-z0-9.+~-]{1,40})")


def version(text: str, of_distro: str) -> Wrong | None:
    """The name of a whole release: ``v1.28.3+rke2r2`` for RKE2, ``v1.28.3`` for kubeadm and vanilla."""
    if of_distro in UPSTREAM:
        return _upstream(text)
    tagged = TAGGED.get(of_distro)
    return _tagged(text, tagged) if tagged else _any(text)


def _any(text: str) -> Wrong | None:
    whole = _ANY_RELEASE.fullmatch(text)
    return None if whole else Wrong(f"{shown(text)} is not a version", "such as v1.30.2")


def _tagged(text: str, form: _Tagged) -> Wrong | None:
    if form.pattern.fullmatch(text):
        return None
    return Wrong(f"{shown(text)} is not a release of {form.name}", _tagged_hint(text, form))


def _tagged_hint(text: str, form: _Tagged) -> str:
    if form.pattern.fullmatch(f"v{text}"):
        return f'it begins with v: "v{text}"'
    plain = _KUBERNETES.fullmatch(text)
    if plain is None:
        return f'such as "v1.28.3{form.example}"'
    patch = plain[2] or ".0"
    return f'write the whole release, in quotes, such as "v{plain[1]}{patch}{form.ending}"'


def _upstream(text: str) -> Wrong | None:
    found = _UPSTREAM.fullmatch(text)
    if found is None:
        return Wrong(f"{shown(text)} is not a release of Kubernetes", _upstream_hint(text))
    minor = int(found[1])
    if OLDEST_MINOR <= minor <= NEWEST_MINOR:
        return None
    how = "older" if minor < OLDEST_MINOR else "newer"
    hint = f"it installs v1.{OLDEST_MINOR} to v1.{NEWEST_MINOR}"
    return Wrong(f"{shown(text)} is {how} than what this mk8s installs", hint)


def _upstream_hint(text: str) -> str:
    if _UPSTREAM.fullmatch(f"v{text}"):
        return f'it begins with v: "v{text}"'
    if plain := _MINOR.fullmatch(text):
        return f'write the whole release, such as "v{plain[1]}.0"'
    if ending := _WITH_ENDING.fullmatch(text):
        return f'Kubernetes\' own release has no such ending: "v{ending[1]}"'
    return 'such as "v1.28.3"'
