"""The release files on this machine: are they all here, and are they what their checksum file says?

The second of the four points of verification (after the gap, before anything is sent). It reads
files and touches no node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from mk8s.cluster import Cluster
from mk8s.distros.base import ArtifactItem, Distro
from mk8s.errors import ExitCode, Mk8sError
from transports.base import File, digest_of_file

__all__ = ["ReleaseError", "find_release"]

CHECKSUMS = "checksums"
Digest = Callable[[Path], str]


class ReleaseError(Mk8sError):
    """Files of the release are missing or damaged. No node was touched."""

    exit_code = ExitCode.MANIFEST_NEEDS_YOU


def find_release(cluster: Cluster, distro: Distro, digest: Digest = digest_of_file) -> Mapping[str, File]:
    """Every file that the nodes need, by item id, each hashed once and compared with its checksum.

    Raises ReleaseError naming every file that is missing or differs.
    """
    items = distro.artifacts(cluster)
    _refuse_missing(cluster, items)
    expected = _checksums(cluster, distro, items)
    files = {
        item.id: _hashed(cluster.artifacts_dir / item.file, digest) for item in items if _here(cluster, item)
    }
    wrong = [
        f"{file.path}: its sha256 is {file.sha256[:12]}…, and should be {expected[file.path.name][:12]}…"
        for file in files.values()
        if expected.get(file.path.name, file.sha256) != file.sha256
    ]
    if wrong:
        raise ReleaseError(
            "the release is damaged:\n  " + "\n  ".join(wrong),
            cause="a file whose hash differs is never sent to a node",
            remedy="fetch these files again, or correct the checksum in the manifest's artifacts section",
        )
    return files


def _here(cluster: Cluster, item: ArtifactItem) -> bool:
    return (cluster.artifacts_dir / item.file).is_file()


def _refuse_missing(cluster: Cluster, items: Sequence[ArtifactItem]) -> None:
    missing = [
        f"{item.file}  ({item.purpose})" for item in items if item.required and not _here(cluster, item)
    ]
    if missing:
        raise ReleaseError(
            f"{cluster.artifacts_dir}: {len(missing)} of {len(items)} release files are not here:\n  "
            + "\n  ".join(missing),
            cause=f"{cluster.distro} {cluster.version} is installed from local files",
            remedy="put them there, or name another folder as artifacts_dir in the manifest",
        )


def _checksums(cluster: Cluster, distro: Distro, items: Sequence[ArtifactItem]) -> dict[str, str]:
    """What each file should hash to: the distro's checksum files, then the manifest's own words.

    A file that the manifest renames is still listed there under the distro's own name.
    """
    found: dict[str, str] = {}
    names = {item.id: item.file for item in distro.artifacts(replace(cluster, artifacts={}))}
    for item in items:
        if item.id.startswith(CHECKSUMS) and _here(cluster, item):
            text = (cluster.artifacts_dir / item.file).read_text(encoding="utf-8", errors="replace")
            found.update(distro.checksums(text))
    found |= {item.file: found[name] for item in items if (name := names.get(item.id)) in found}
    for item in items:
        given = cluster.artifacts.get(item.id)
        if given and given.checksum:
            found[item.file] = given.checksum.removeprefix("sha256:").lower()
    return found


def _hashed(path: Path, digest: Digest) -> File:
    try:
        return File(path, path.stat().st_size, digest(path))
    except OSError as error:
        raise ReleaseError(
            f"{path}: cannot be read: {error.strerror}", remedy="check its permissions"
        ) from error
