"""The release of real Kubernetes where upstream has its own: files over HTTP, images in a registry.

For tests that fetch what they install: ``with real_upstream(folder, release, cluster) as upstream``, and
`upstream.mirrors` in the manifest. Nothing else tells mk8s that this is not the internet.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from mk8s.cluster import Cluster
from mk8s.distros.base import load_catalogue
from tests.httpd import Server
from tests.registryd import RegistryServer, load_archive
from tests.upstream_tree import place_of
from transports.base import digest_of_file

__all__ = ["Upstream", "real_upstream"]

IMAGES = "images-linux-amd64.tar"
REGISTRIES = ("k8s.gcr.io", "registry.local")


@dataclass(frozen=True)
class Upstream:
    """Both servers."""

    files: Server
    images: RegistryServer

    @property
    def mirrors(self) -> str:
        """The line for a manifest."""
        hosts = dict.fromkeys(REGISTRIES, self.images.url)
        return f"mirrors: {json.dumps({'*': self.files.url(), **hosts})}\n"


@contextmanager
def real_upstream(folder: Path, release: Path, cluster: Cluster) -> Iterator[Upstream]:
    """Serve what this cluster fetches, out of a folder of release files. `folder`: room for the layout."""
    lay_out(folder, release, cluster)
    with ExitStack() as stack:
        files = stack.enter_context(Server(folder))
        images = stack.enter_context(RegistryServer(load_archive(release / IMAGES), tokens=True))
        yield Upstream(files, images)


def lay_out(folder: Path, release: Path, cluster: Cluster) -> None:
    """Each file under its upstream's URL, and its line in the list of hashes."""
    for item in load_catalogue(cluster.distro).artifacts(cluster):
        if item.origin.url:
            source, target = release / item.file, place_of(folder, item.origin.url)
            _link(source, target)
            hashes = place_of(folder, item.origin.checksums_url)
            with hashes.open("a") as listed:
                listed.write(f"{digest_of_file(source)}  {target.name}\n")


def _link(source: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # on another disk
        shutil.copyfile(source, target)
