"""Which files of a release are not here. Looks at names only, and loads nothing that fetches."""

from __future__ import annotations

from mk8s.artifacts.catalogue import release_items
from mk8s.artifacts.hashes import is_list
from mk8s.artifacts.sources import Source, sources_of
from mk8s.cluster import Cluster
from mk8s.distros.base import Catalogue

__all__ = ["missing_sources"]


def missing_sources(cluster: Cluster, catalogue: Catalogue) -> list[Source]:
    """The required files that are not here, with the lists of their hashes. Empty: all required are here."""
    sources = sources_of(release_items(cluster, catalogue), cluster)
    wanted = [source for source in sources if source.item.required or is_list(source)]
    missing = [source for source in wanted if not (cluster.artifacts_dir / source.item.file).is_file()]
    return missing if any(source.item.required for source in missing) else []
