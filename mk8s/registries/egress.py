"""What a manifest with `airgap: true` would have nodes fetch from outside all the same. Pure.

Looked at: addresses of mirrors, settings of distros that name registries, and the files that are applied
(images, pull policies, sources of charts and of Git). A node's address, the endpoint, and whatever
`registries` names are inside. Where a host is one of the public registries, it is certain (`certain`);
of any other name nobody here can know in which network it is.

It knows no file: texts and the images of the release come in. Begin reading at `egress_faults`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from mk8s.cluster import Cluster
from mk8s.registries.applied import Pulled, fetched, whole_name
from mk8s.registries.engine import DEFAULT_REGISTRY
from mk8s.registries.known import EVERY, host_in
from mk8s.registries.releases import NO_DEFAULT_ENDPOINT, begins_with

__all__ = ["Egress", "egress_faults", "is_public"]

PUBLIC = frozenset({
    "amazonaws.com", "azurecr.io", "cgr.dev", "docker.com", "docker.elastic.co", "docker.io", "gcr.io",
    "ghcr.io", "github.com", "github.io", "githubusercontent.com", "gitlab.com", "googleapis.com", "icr.io",
    "mcr.microsoft.com", "nvcr.io", "pkg.dev", "public.ecr.aws", "quay.io", "registry.access.redhat.com",
    "registry.k8s.io", "registry.rancher.com", "registry.redhat.io", "registry.suse.com",
})  # fmt: skip
"""Hosts, and domains of hosts, that stand in the Internet for everybody."""

INSIDE = (".svc", ".cluster.local", ".localhost")
BY_ENGINE = ("rke2", "k3s")
S3 = "s3.amazonaws.com"  # where the engine puts snapshots of etcd, unless told otherwise
IN_ARCHIVE = "add them to the manifest's `images`, or mirror their registries in `registries.mirrors`"
NAMED = "name the host in `registries`, or take one that the nodes reach"
ALWAYS = "write `imagePullPolicy: IfNotPresent` and a tag other than latest, or mirror their registries"


@dataclass(frozen=True, slots=True)
class Egress:
    """Something that a node would fetch from outside: where it is written, what, and what to do."""

    where: str
    what: str
    remedy: str
    certain: bool

    def __str__(self) -> str:
        return f"{self.where}: {self.what}"


def egress_faults(
    cluster: Cluster, applied: Iterable[tuple[str, str]] = (), images: tuple[str, ...] | None = None
) -> list[Egress]:
    """All of it; nothing for a cluster that may reach the Internet.

    `applied`: name and text of each file of the manifest's `manifests`. `images`: what the archives of the
    release hold; None where that is not known.
    """
    if not cluster.airgap:
        return []
    look = _Look(cluster, frozenset(map(whole_name, images)) if images is not None else None)
    found = [*look.mirrors(), *look.fallback(), *look.engine(), *look.kubeadm()]
    for name, text in applied:
        found += look.file(name, text)
    return found


def is_public(host: str) -> bool:
    """Whether a host, with or without its port, is one of the Internet's own."""
    name = _bare(host)
    return any(name == known or name.endswith(f".{known}") for known in PUBLIC)


@dataclass(frozen=True, slots=True)
class _Look:
    """One cluster, and the whole names of the images that its nodes have."""

    cluster: Cluster
    images: frozenset[str] | None

    def mirrors(self) -> Iterator[Egress]:
        registries = self.cluster.registries
        for name, mirror in registries.mirrors.items() if registries else ():
            for text in mirror.endpoints:
                if is_public(host_in(text)):
                    what = f"{text} is in the Internet, and `airgap` is true"
                    remedy = "name a mirror that the nodes reach, or set `airgap: false`"
                    yield Egress(f"registries.mirrors.{name}.endpoints", what, remedy, True)
        if registries and is_public(registries.default):
            remedy = "name a registry that the nodes reach, or leave it out"
            yield Egress("registries.default", f"{registries.default} is in the Internet", remedy, True)

    def fallback(self) -> Iterator[Egress]:
        registries = self.cluster.registries
        if registries is None or not registries.mirrors:
            return
        if registries.fallback:
            what = "what a mirror lacks is asked of the registry itself, in the Internet"
            yield Egress("registries.fallback", what, "leave it out, or set it to false", False)
        elif self.cluster.distro in BY_ENGINE and not begins_with(self.cluster.version, NO_DEFAULT_ENDPOINT):
            what = f"{self.cluster.version} asks a registry itself for what its mirrors lack"
            remedy = "mirror every image; v1.26.13, v1.27.10, v1.28.6 and v1.29.1 can be told not to"
            yield Egress("version", what, remedy, False)

    def engine(self) -> Iterator[Egress]:
        if self.cluster.distro not in BY_ENGINE:
            return
        told: set[tuple[str, str]] = set()
        for node in self.cluster.nodes:
            for key, host in _hosts_of_engine(node.config):
                if (key, host) not in told and not self._reaches(host):
                    told.add((key, host))
                    what = f"{host} is neither a node nor named in `registries`"
                    yield Egress(f"nodes.{node.name}.config.{key}", what, NAMED, is_public(host))

    def kubeadm(self) -> Iterator[Egress]:
        """A kubelet of kubeadm's pulls its images anew only where it is told so."""
        if self.cluster.distro != "kubeadm" or self._is_mirrored("registry.k8s.io"):
            return
        for node in self.cluster.nodes:
            for kind in ("InitConfiguration", "JoinConfiguration"):
                given = node.config.get(kind)
                fields = given.get("nodeRegistration") if isinstance(given, Mapping) else None
                if isinstance(fields, Mapping) and fields.get("imagePullPolicy") == "Always":
                    where = f"nodes.{node.name}.config.{kind}.nodeRegistration.imagePullPolicy"
                    what = "with Always kubeadm asks the registry for images that are there already"
                    yield Egress(where, what, "leave it out, or mirror the registry", True)

    def file(self, name: str, text: str) -> Iterator[Egress]:
        """One file that is applied. Its images are told together where they are in one kind of trouble."""
        found = fetched(text)
        if found is None:
            what = "it is no YAML that can be read, so what its pods fetch is not known"
            yield Egress(name, what, "look whether kubectl can apply it", False)
            return
        outside = [image for image in found.images if not self._is_mirrored(image.registry)]
        for certain in (True, False):
            alike = [image for image in outside if self._is_sure(image) is certain]
            yield from self._lacking(name, [image for image in alike if not self._has(image)], certain)
            yield from self._anew(name, [image for image in alike if self._has(image)], certain)
        for what, host in found.sources:
            if not self._reaches(host) and not _is_inside(host):
                words = f"{what} is fetched from {host}, which is neither a node nor named in `registries`"
                yield Egress(name, words, "apply what is in it as plain manifests", is_public(host))

    def _lacking(self, name: str, images: list[Pulled], certain: bool) -> Iterator[Egress]:
        if images:
            them = "that must be in an archive" if self.images is None else "in no archive"
            what = f"images {them}, for no mirror has them: {_listed(images)}"
            yield Egress(name, what, IN_ARCHIVE, certain)

    def _anew(self, name: str, images: list[Pulled], certain: bool) -> Iterator[Egress]:
        """In an archive, and asked for at a registry all the same."""
        always = [image for image in images if image.always]
        if always:
            what = f"images that are asked for at every start, and no mirror has: {_listed(always)}"
            yield Egress(name, what, ALWAYS, certain)

    def _is_sure(self, image: Pulled) -> bool:
        return self.images is not None and is_public(image.registry)

    def _has(self, image: Pulled) -> bool:
        """Of one that is named by digest alone a list of names cannot tell."""
        return self.images is not None and image.whole in self.images

    def _is_mirrored(self, registry: str) -> bool:
        mirrors = self.cluster.registries.mirrors if self.cluster.registries else {}
        return registry in mirrors or EVERY in mirrors or self._reaches(registry)

    def _reaches(self, host: str) -> bool:
        return _bare(host) in _known(self.cluster)


def _known(cluster: Cluster) -> set[str]:
    """Every host that is the cluster's own or that `registries` names, without ports."""
    found = {address for node in cluster.nodes for address in (node.address, node.ip)}
    found.add(cluster.endpoint or "")
    if cluster.registries:
        endpoints = [text for mirror in cluster.registries.mirrors.values() for text in mirror.endpoints]
        found |= {_bare(host) for host in (*map(host_in, endpoints), *cluster.registries.access)}
        found.add(_bare(cluster.registries.default))
    return {name for name in found if name}


def _hosts_of_engine(config: Mapping[str, object]) -> Iterator[tuple[str, str]]:
    """Settings of RKE2 and K3s by which a node fetches or sends something."""
    if config.get(DEFAULT_REGISTRY):
        yield DEFAULT_REGISTRY, str(config[DEFAULT_REGISTRY]).partition("/")[0]
    for key, value in config.items():
        if key.endswith("-image") and isinstance(value, str):
            yield key, whole_name(value).partition("/")[0]
    if str(config.get("etcd-s3", "")).lower() == "true":
        yield "etcd-s3-endpoint", str(config.get("etcd-s3-endpoint") or S3)


def _listed(images: list[Pulled]) -> str:
    return ", ".join(dict.fromkeys(image.name for image in images))


def _bare(host: str) -> str:
    """A host without its port; an IPv6 address without its brackets."""
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.partition(":")[0].lower() if host.count(":") <= 1 else host


def _is_inside(host: str) -> bool:
    """A service of the cluster itself."""
    name = _bare(host)
    return name.endswith(INSIDE) or not ("." in name or ":" in name)
