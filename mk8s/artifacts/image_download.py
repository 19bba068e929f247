"""From a release's list of images to its archive: asked, fetched and put together for one run.

Laws:

1. An archive that is whole and has exactly the images that are needed is not made again.
2. kubeadm is asked where this machine can run it and a hash of it is published; then its word counts, in
   place of the table. Where the table is complete, a kubeadm that cannot be asked stops nothing.

Begin reading at `ImageMaker.make`.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import trio

from mk8s.amounts import bytes_in_words
from mk8s.artifacts.checksums import find_digest
from mk8s.artifacts.egress import shown_url
from mk8s.artifacts.fetch import Fetcher, OnBytes, Wanted
from mk8s.artifacts.filing import CacheError
from mk8s.artifacts.image_archive import holds_exactly, write_images
from mk8s.artifacts.image_list import (
    ImageListError,
    ask_kubeadm,
    host_arch,
    images_known,
    images_needed,
    missing_components,
)
from mk8s.artifacts.logins import Logins
from mk8s.artifacts.registry import Registry, Resolved
from mk8s.artifacts.sources import Source, name_in, sources_of
from mk8s.cluster import Cluster
from mk8s.distros.base import ArtifactItem
from mk8s.distros.upstream import components
from mk8s.errors import Mk8sError

__all__ = ["ImageMaker"]

KUBEADM = "kubeadm"


class ImageMaker:
    """Makes the archives of images of one cluster's release. Shared by all tasks of a run."""

    def __init__(
        self,
        cluster: Cluster,
        fetcher: Fetcher,
        logins: Logins,
        *,
        say: Callable[[str], None] = lambda _words: None,
        arch: str | None = None,
        free: Callable[[Path], int] = lambda path: shutil.disk_usage(path).free,
    ) -> None:
        """`arch`: whose programs this machine can run; None: find out; empty: none's. `free`: bytes."""
        self._cluster = cluster
        self._fetcher = fetcher
        self._registry = Registry(fetcher.web, fetcher, cluster.mirrors, logins)
        self._say = say
        self._arch = host_arch() if arch is None else arch
        self._free = free
        self._asking = trio.Lock()
        self._answer: tuple[str, ...] | None = None

    async def needed(self, item: ArtifactItem) -> tuple[str, ...]:
        """The images of this archive, each once. Raises ImageListError where that cannot be found out."""
        known, _ = images_known(self._cluster)
        more = [name for name in item.origin.images if name not in known]  # of the user's own manifests
        return tuple(dict.fromkeys([*images_needed(self._cluster, await self._answered()), *more]))

    async def make(
        self, item: ArtifactItem, target: Path, on_bytes: OnBytes = lambda _here, _all: None
    ) -> bool:
        """Put the archive there, whole and durable. Whether it had to be made.

        Raises ImageListError, RegistryError, FetchError, EgressError or CacheError.
        """
        names, arch = await self.needed(item), item.origin.arch
        if await trio.to_thread.run_sync(holds_exactly, target, names):
            return False
        images = await self._registry.resolve_all(names, arch)
        await trio.to_thread.run_sync(self._refuse_full_disk, images, target)
        blobs = await self._registry.fetch(images, on_bytes)
        await trio.to_thread.run_sync(write_images, images, blobs, target, arch)
        return True

    def _refuse_full_disk(self, images: Sequence[Resolved], target: Path) -> None:
        """Room for the layers that are missing, and for the archive: before the first byte of either."""
        cache = self._fetcher.cache
        blobs = {blob.sha256: blob.size for image in images for blob in image.blobs}
        missing = sum(size for sha256, size in blobs.items() if not cache.path_of(sha256).exists())
        wanted = {cache.folder: missing, target.parent: sum(blobs.values())}
        if cache.folder.stat().st_dev == target.parent.stat().st_dev:
            wanted = {target.parent: sum(wanted.values())}
        for folder, size in wanted.items():
            free = self._free(folder)
            if size > free:
                raise CacheError(
                    f"{folder}: {target.name} takes {bytes_in_words(size)}, {bytes_in_words(free)} are free",
                    cause="no layer was fetched",
                    remedy="free some space there, or name other folders: --to, XDG_CACHE_HOME",
                )

    async def _answered(self) -> tuple[str, ...]:
        """What kubeadm says, asked once; nothing where it cannot be asked and need not be."""
        async with self._asking:
            if self._answer is None:
                self._answer = await self._ask()
            return self._answer

    async def _ask(self) -> tuple[str, ...]:
        if self._cluster.distro != KUBEADM or not self._arch:
            return ()
        try:
            return await self._ask_verified(_kubeadm(self._cluster, self._arch))
        except Mk8sError as error:
            if missing_components(self._cluster):
                raise
            self._say(f"kubeadm was not asked for its images, the usual ones are taken: {error.problem}")
            return ()

    async def _ask_verified(self, source: Source) -> tuple[str, ...]:
        sha256 = await self._published(source)
        blob = await self._fetcher.fetch(Wanted(source.url, source.item.file, sha256))
        return await ask_kubeadm(blob.path, sha256, self._cluster.version)

    async def _published(self, source: Source) -> str:
        """Its hash, as the manifest or upstream says. Raises ImageListError for none."""
        if source.promised:
            return source.promised
        try:
            text = await self._fetcher.small(source.checksums_url, f"the hash of {source.item.file}")
            return find_digest(text.decode(errors="replace"), name_in(source.upstream))
        except ValueError as error:
            raise ImageListError(
                f"{source.item.file} was not run to ask it for its images: "
                f"{shown_url(source.checksums_url)} {error}",
                remedy="give its `checksum` in the manifest's artifacts section",
            ) from error


def _kubeadm(cluster: Cluster, arch: str) -> Source:
    """The release's kubeadm for this machine; of another architecture than all nodes', upstream's."""
    item_id = KUBEADM if arch == cluster.primary.arch else f"{KUBEADM}-{arch}"
    origin = replace(components.origin(cluster, KUBEADM, arch), arch=arch)
    item = ArtifactItem(item_id, f"kubeadm-linux-{arch}", "", False, frozenset(), False, origin)
    return sources_of([item], cluster)[0]
