"""A download put together for one run: the cache, the client, the policy, and who makes archives.

The one module of this room that reads the environment. What is fetched is decided here, how elsewhere.
Begin reading at `download_release` (`mk8s download`) and `fetch_missing` (the beginning of `mk8s run`).
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import trio

from mk8s.artifacts.cache import Cache, default_cache_folder
from mk8s.artifacts.catalogue import release_items
from mk8s.artifacts.download import Download
from mk8s.artifacts.egress import Egress, egress_in_air_gap
from mk8s.artifacts.fetch import Fetcher
from mk8s.artifacts.image_download import ImageMaker
from mk8s.artifacts.logins import Logins
from mk8s.artifacts.outcomes import Outcome
from mk8s.artifacts.places import place_of
from mk8s.artifacts.progress import Show, choose_show
from mk8s.artifacts.references import parse_reference
from mk8s.artifacts.sources import Source, sources_of
from mk8s.artifacts.web import Web, make_client
from mk8s.cluster import Cluster
from mk8s.distros.base import Catalogue

__all__ = ["How", "download_release", "fetch_missing"]

OWN_CACHE = ".mk8s-download"  # in the folder of the release, where the user wants no shared one


@dataclass(frozen=True, slots=True)
class How:
    """What the user chose about a download."""

    jobs: int = 4
    cached: bool = True


def download_release(cluster: Cluster, catalogue: Catalogue, show: Show, how: How) -> list[Outcome]:
    """Everything of this release into `cluster.artifacts_dir`, from anywhere. Raises Mk8sError."""
    return _download(cluster, sources_of(release_items(cluster, catalogue), cluster), Egress(), show, how)


def fetch_missing(cluster: Cluster, missing: Sequence[Source]) -> bool:
    """Fetch these files, as far as the cluster's air gap allows. Whether any was.

    Where none that is required may be fetched, nothing is asked and nothing told. Raises Mk8sError.
    """
    egress = egress_in_air_gap(cluster) if cluster.airgap else Egress()
    wanted = [source for source in missing if _may_be_fetched(source, egress, cluster)]
    if not any(source.item.required for source in wanted):
        return False
    show = choose_show("text")
    try:
        show.say(f"{len(wanted)} of the release's files not in {cluster.artifacts_dir}: fetching")
        _download(cluster, wanted, egress, show, How())
    finally:
        show.close()
    return True


def _download(
    cluster: Cluster, sources: Sequence[Source], egress: Egress, show: Show, how: How
) -> list[Outcome]:
    folder = cluster.artifacts_dir
    own = folder / OWN_CACHE
    cache = Cache.open(default_cache_folder(os.environ) if how.cached else own, show.say)

    async def main() -> list[Outcome]:
        async with make_client() as client:
            fetcher = Fetcher(Web(client, egress), cache, say=show.say)
            archives = ImageMaker(cluster, fetcher, Logins.of(os.environ, Path.home()), say=show.say)
            download = Download(sources, folder, fetcher, archives, show, jobs=how.jobs)
            return await download.run()

    outcomes = trio.run(main)
    if not how.cached:
        shutil.rmtree(own, ignore_errors=True)  # after a failure it stays: parts in it are taken up again
    return outcomes


def _may_be_fetched(source: Source, egress: Egress, cluster: Cluster) -> bool:
    """Whether it can be had from where the policy lets us ask."""
    if source.url:
        return egress.allows(source.url)
    if egress.places is None:
        return bool(source.item.origin.images or source.item.origin.unknown)
    places = [place_of(parse_reference(name), cluster.mirrors) for name in source.item.origin.images]
    return bool(places) and all(egress.allows(place.base) for place in places)
