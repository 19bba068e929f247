"""Which files of a release are not here. Loads nothing that fetches."""

from __future__ import annotations

from collections.abc import Mapping

from mk8s.artifacts.catalogue import release_items
from mk8s.artifacts.hashes import is_list
from mk8s.artifacts.origins import Came, is_of_another, read_origins
from mk8s.artifacts.sources import Source, sources_of
from mk8s.cluster import Cluster
from mk8s.distros.base import Catalogue
from transports.base import digest_of_file

__all__ = ["may_fetch", "missing_sources"]


def may_fetch(cluster: Cluster) -> bool:
    """Whether a run may fetch at all. In an air gap it asks the manifest's own places: see `egress`."""
    return cluster.artifacts_mode == "download" or (cluster.airgap and cluster.artifacts_mode == "bundle")


def missing_sources(cluster: Cluster, catalogue: Catalogue) -> list[Source]:
    """The required files that are not here, with the lists of hashes. Empty: all required are here."""
    sources = sources_of(release_items(cluster, catalogue), cluster)
    came = read_origins(cluster.artifacts_dir)
    wanted = [source for source in sources if source.item.required or is_list(source)]
    missing = [source for source in wanted if not _is_here(cluster, source, came)]
    if not any(source.item.required for source in missing):
        return []
    lists = [source for source in wanted if is_list(source) and source not in missing]
    return [*missing, *lists]  # they may be those of another version


def _is_here(cluster: Cluster, source: Source, came: Mapping[str, Came]) -> bool:
    """Whether it is here and not another version's. Reads only a file of which that is said."""
    path, known = cluster.artifacts_dir / source.item.file, came.get(source.item.file)
    if not path.is_file():
        return False
    if known is None or known.url == source.upstream:
        return True
    try:
        return not is_of_another(known, digest_of_file(path), source.upstream)
    except OSError:
        return True  # who sends it tells what is wrong with it
