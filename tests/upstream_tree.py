"""A folder with the layout of upstream's release pages: small payloads, and hashes in their real forms.

Served at one address with the manifest's ``mirrors: {"*": ADDRESS}``: each URL lies below its host's name.
Lists of hashes are written in the form that each project uses: many lines, one line, the hash alone, with
a binary marker, or signed in clear text. The payloads are stand-ins; only `kubeadm` can be run, and says
which images it wants.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mk8s.distros.base import ArtifactItem, Origin

__all__ = ["IMAGES_OF_KUBEADM", "place_of", "upstream_tree"]

IMAGES_OF_KUBEADM = (
    "registry.k8s.io/kube-apiserver:{v}",
    "registry.k8s.io/kube-controller-manager:{v}",
    "registry.k8s.io/kube-scheduler:{v}",
    "registry.k8s.io/kube-proxy:{v}",
    "registry.k8s.io/coredns/coredns:v1.11.3",
    "registry.k8s.io/pause:3.10",
    "registry.k8s.io/etcd:3.5.16-0",
)
SIGNED = """\
-----BEGIN PGP SIGNED MESSAGE-----
Hash: SHA512

{lines}-----BEGIN PGP SIGNATURE-----

iQIzBAEBCgAdFiEE0000000000000000000000000000000000000000
-----END PGP SIGNATURE-----
"""


def place_of(root: Path, url: str) -> Path:
    """Where a URL's file lies below the server's folder."""
    parts = urlsplit(url)
    return root / parts.netloc / unquote(parts.path).lstrip("/")


def upstream_tree(root: Path, items: Iterable[ArtifactItem]) -> dict[str, str]:
    """Write every published file of a release, and its lists of hashes; the files' sha256 by item id."""
    found: dict[str, str] = {}
    lists: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for item in items:
        if not item.origin.url or item.id.startswith("checksums"):
            continue
        content = _payload(item)
        path = place_of(root, item.origin.url)
        _write(path, content)
        found[item.id] = hashlib.sha256(content).hexdigest()
        if item.origin.checksums_url:
            lists[item.origin.checksums_url].append((found[item.id], path.name))
    for url, lines in lists.items():
        _write(place_of(root, url), _hashes(place_of(root, url).name, lines).encode())
    return found


def _payload(item: ArtifactItem) -> bytes:
    if item.id.split("-")[0] == "kubeadm":
        return _kubeadm(item.origin).encode()
    return hashlib.shake_256(item.file.encode()).digest(64 << 10)


def _kubeadm(origin: Origin) -> str:
    version = next(part for part in urlsplit(origin.url).path.split("/") if part.startswith("v1."))
    images = "\n".join(image.format(v=version) for image in IMAGES_OF_KUBEADM)
    return f"#!/bin/sh\n# a stand-in for kubeadm {version}\ncat <<'END'\n{images}\nEND\n"


def _hashes(name: str, lines: list[tuple[str, str]]) -> str:
    """The form that goes with the list's name; see docs/artifacts.md."""
    if name == "sha256sums.txt":  # k0s: made with `sha256sum -b`
        return "".join(f"{digest} *{file}\n" for digest, file in lines)
    if name == "runc.sha256sum":
        return SIGNED.format(lines="".join(f"{digest}  {file}\n" for digest, file in lines))
    if name.endswith(".sha256") and not name.endswith((".tgz.sha256", ".tar.gz.sha256")):
        return lines[0][0]  # dl.k8s.io: the hash alone, without an end of line
    if name.startswith("crictl"):
        return f"{lines[0][0]}\n"
    return "".join(f"{digest}  {file}\n" for digest, file in lines)


def _write(path: Path, content: bytes) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
