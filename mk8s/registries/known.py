"""The manifest's `registries` with what it names at hand: endpoints taken apart, access found. Pure."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import PurePosixPath
from urllib.parse import SplitResult, urlsplit

from mk8s.cluster import Cluster, Registries, RegistryAccess, RegistryMirror
from mk8s.needs import Kept
from mk8s.private_keys import HIDDEN

__all__ = [
    "AUTHORITIES",
    "DOCKER_HUB",
    "EVERY",
    "ROOT",
    "Endpoint",
    "Given",
    "authority_file",
    "endpoint_of",
    "given_of",
    "host_in",
    "host_of_registry",
    "is_login",
    "quoted",
]

EVERY = "*"  # in `mirrors`: every registry that is not listed by its name
AUTHORITIES = PurePosixPath("/etc/mk8s/registries")  # on nodes: the certificates of registries' authorities
DOCKER_HUB = "docker.io"
DOCKER_HUB_HOST = "registry-1.docker.io"  # where docker.io's images are served; source: containerd's resolver
NOT_IN_NAMES = re.compile(r"[^A-Za-z0-9.-]")
ROOT = "/v2"  # of the registries' API: what an address without a path means
SPECIAL = re.compile("[\x7f-\x9f\u2028\u2029\ufeff]")


@dataclass(frozen=True, slots=True)
class Endpoint:
    """An address of a mirror, taken apart. `path`: what stands there before the names of images."""

    scheme: str
    host: str  # with its port, if the address has one
    path: str = ROOT

    def below(self, folder: str) -> Endpoint:
        """The same with a folder of images in it; itself where that is empty."""
        return replace(self, path=f"{self.path}/{folder}") if folder else self

    @property
    def url(self) -> str:
        return f"{self.scheme}://{self.host}{self.path}"


@dataclass(frozen=True, slots=True)
class Given:
    """What the manifest says, and the secrets and certificates that it only names."""

    registries: Registries
    passwords: Mapping[str, str] = field(default_factory=dict, repr=False)  # host -> password
    authorities: Mapping[str, bytes] = field(default_factory=dict, repr=False)  # host -> PEM

    def mirrors(self) -> Iterator[tuple[str, RegistryMirror]]:
        """Registries in the order of the manifest."""
        yield from self.registries.mirrors.items()

    def access_to(self, host: str) -> RegistryAccess:
        """How a host is entered; nothing special where the manifest does not say."""
        name = self._name_of(host)
        return self.registries.access[name] if name else RegistryAccess()

    def password(self, host: str) -> str:
        """A secret. Where it was not asked for (a plan, a simulation), a mark stands for it."""
        return self.passwords.get(self._name_of(host), HIDDEN)

    def authority_of(self, host: str) -> PurePosixPath | None:
        """Where the certificate of a host's authority lies on nodes; None where there is none."""
        return authority_file(self._name_of(host)) if self.access_to(host).ca_file else None

    def _name_of(self, host: str) -> str:
        """The manifest's name of a host in `access`; empty where it has none. The usual port may lack."""
        names = {host_of_registry(name): name for name in self.registries.access}
        return names.get(host) or names.get(host.removesuffix(":443")) or ""

    @property
    def has_passwords(self) -> bool:
        return any(is_login(access) for access in self.registries.access.values())


def given_of(cluster: Cluster, kept: Kept) -> Given | None:
    """Registries as a driver is told of them; None where the manifest has none."""
    if cluster.registries is None:
        return None
    return Given(cluster.registries, kept.registry_passwords, kept.registry_authorities)


def is_login(access: RegistryAccess) -> bool:
    """Whether a registry is entered with a name or a password."""
    return bool(access.username or access.password_env)


def endpoint_of(text: str) -> Endpoint:
    """The parts of an endpoint; https where it names no scheme. Raises ValueError for one that is none."""
    parts: SplitResult = urlsplit(text if "://" in text else f"https://{text}")
    if parts.scheme not in ("http", "https") or not parts.hostname or "@" in parts.netloc:
        without_login = text.rpartition("@")[2]
        raise ValueError(f"{without_login!r} is no address of a registry")
    _ = parts.port  # raises ValueError for one that is no number
    return Endpoint(parts.scheme, parts.netloc, parts.path.rstrip("/") or ROOT)


def host_in(text: str) -> str:
    """The host of an endpoint, with its port; empty for what is none."""
    try:
        return endpoint_of(text).host
    except ValueError:
        return ""


def host_of_registry(name: str) -> str:
    """The host that serves a registry's images: its own name, but for Docker Hub."""
    return DOCKER_HUB_HOST if name == DOCKER_HUB else name


def authority_file(host: str) -> PurePosixPath:
    """The file of a host's authority on nodes. No two hosts share one: ``_`` stands in no host's name."""
    return AUTHORITIES / f"{NOT_IN_NAMES.sub('_', host)}.crt"


def quoted(text: str) -> str:
    """A text in double quotes as JSON, YAML and TOML all read it."""
    return SPECIAL.sub(lambda found: f"\\u{ord(found[0]):04x}", json.dumps(text, ensure_ascii=False))
