"""A manifest of one RKE2 server beside a server that has its release, for tests of whole downloads."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mk8s.artifacts.sources import Source, sources_of
from mk8s.project import Listing, load_listing
from tests.httpd import Server
from tests.mk8s.artifacts.fetching import content, digest

__all__ = ["BINARY", "IMAGES", "SUMS", "Site", "make_site"]

SUMS = "sha256sum-amd64.txt"
BINARY = "rke2.linux-amd64.tar.gz"
IMAGES = "rke2-images.linux-amd64.tar.zst"
# What runs in the background of a script inherits that Ctrl-C is ignored.
MK8S = """\
import signal
signal.signal(signal.SIGINT, signal.default_int_handler)
from mk8s.cli import main
raise SystemExit(main())
"""
MANIFEST = """\
distro: rke2
version: v1.33.4+rke2r1
{more}
nodes:
  - {{address: 10.0.0.11, role: server, user: ops}}
"""


@dataclass(frozen=True)
class Site:
    """A folder with cluster.yaml, and who serves its release."""

    folder: Path
    server: Server
    files: dict[str, bytes]

    @property
    def manifest(self) -> Path:
        return self.folder / "cluster.yaml"

    @property
    def artifacts(self) -> Path:
        return self.folder / "artifacts"

    @property
    def listing(self) -> Listing:
        return load_listing(self.manifest)

    @property
    def sources(self) -> list[Source]:
        listing = self.listing
        return sources_of(listing.catalogue.artifacts(listing.cluster), listing.cluster)

    def path(self, file: str) -> str:
        """A file's path at the server."""
        return next(_path(source.url) for source in self.sources if source.item.file == file)

    def here(self) -> dict[str, bytes]:
        """What lies in the folder of the release, but for hidden files."""
        found = self.artifacts.glob("[!.]*") if self.artifacts.exists() else ()
        return {path.name: path.read_bytes() for path in found}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """A real process of its own, with a cache in this folder. It heeds Ctrl-C, whatever it inherits."""
        env = {**os.environ, "XDG_CACHE_HOME": str(self.folder / "cache"), "TERM": "dumb"}
        return subprocess.Popen(
            [sys.executable, "-c", MK8S, *words], cwd=self.folder, env=env, text=True,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        )  # fmt: skip


def make_site(folder: Path, server: Server, more: str = "", size: int = 200_000) -> Site:
    """Write the manifest and fill the server. `more`: lines of the manifest; by default a mirror of all."""
    lines = more or f'mirrors: {{"*": "{server.url()}"}}'
    (folder / "cluster.yaml").write_text(MANIFEST.format(more=lines))
    files = {BINARY: content(size, 11), IMAGES: content(size, 12)}
    files[SUMS] = "".join(f"{digest(data)}  {name}\n" for name, data in files.items()).encode()
    site = Site(folder, server, files)
    assert isinstance(server.content, dict)
    for source in site.sources:
        server.content[_path(source.url)] = files[source.item.file]
    return site


def _path(url: str) -> str:
    return unquote(urlsplit(url).path)
