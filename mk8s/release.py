"""The release files on this machine: are they all here, and are they what their checksum file says?

The second of the four points of verification (after the gap, before anything is sent). It reads
files and touches no node.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mk8s.artifacts.checksums import read_checksums
from mk8s.artifacts.hashes import RECORDED
from mk8s.artifacts.origins import is_of_another, read_origins
from mk8s.artifacts.sources import name_in
from mk8s.cluster import Cluster
from mk8s.distros.base import ArtifactItem, Catalogue
from mk8s.errors import ExitCode, Mk8sError
from transports.base import File, digest_of_file

__all__ = [
    "Inspection",
    "ReleaseError",
    "check_release",
    "expected_hashes",
    "find_release",
    "inspect_release",
]

CHECKSUMS = "checksums"
Digest = Callable[[Path], str]


class ReleaseError(Mk8sError):
    """Files of the release are missing or damaged. No node was touched."""

    exit_code = ExitCode.MANIFEST_NEEDS_YOU


@dataclass(frozen=True, slots=True)
class Inspection:
    """What was found of a release, and what is wrong with it. The faults are words for people."""

    files: Mapping[str, File]  # by item id; what is here and can be read, whatever its hash
    expected: int  # files that the release may have
    missing: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    wrong: tuple[str, ...] = ()  # their hash is not the one that was promised
    unchecked: tuple[str, ...] = ()  # names of files of which nothing says what they should hash to

    @property
    def whole(self) -> bool:
        """Whether a run may send it."""
        return not (self.missing or self.unreadable or self.wrong)

    def refuse_faults(self, cluster: Cluster) -> None:
        """Raise ReleaseError for what is missing, or else for what cannot be read or differs."""
        if self.missing:
            raise ReleaseError(
                f"{cluster.artifacts_dir}: {len(self.missing)} of {self.expected} release files "
                "are not here:\n  " + "\n  ".join(self.missing),
                cause=f"{cluster.distro} {cluster.version} is installed from local files",
                remedy=PUT_THEM_THERE,
            )
        if self.unreadable:
            raise ReleaseError("\n".join(self.unreadable), remedy="check its permissions")
        if self.wrong:
            raise ReleaseError(
                "the release is damaged, or another one:\n  " + "\n  ".join(self.wrong),
                cause="only what is this release's own, by hash and by origin, is sent to a node",
                remedy=FETCH_AGAIN,
            )


PUT_THEM_THERE = (
    "`mk8s download` fetches them; behind an air gap carry them there (`mk8s bundle`), or name another "
    "folder as artifacts_dir in the manifest"
)
NAME_HASHES = (
    "put the release's list of hashes beside them, or give `checksum` in the manifest's artifacts section"
)
FETCH_AGAIN = (
    "fetch these files again (`mk8s download`), or correct the checksum in the manifest's artifacts section"
)


def find_release(cluster: Cluster, distro: Catalogue, digest: Digest = digest_of_file) -> Mapping[str, File]:
    """Every file that the nodes need, by item id, each hashed once and compared with its checksum.

    Raises ReleaseError naming every file that is missing or differs.
    """
    return check_release(cluster, distro, digest).files


def check_release(cluster: Cluster, distro: Catalogue, digest: Digest = digest_of_file) -> Inspection:
    """The same, with what could not be checked."""
    items = distro.artifacts(cluster)
    Inspection({}, len(items), _missing(cluster, items)).refuse_faults(cluster)  # before the slow hashing
    inspection = inspect_release(cluster, distro, digest)
    inspection.refuse_faults(cluster)
    return inspection


def inspect_release(cluster: Cluster, distro: Catalogue, digest: Digest = digest_of_file) -> Inspection:
    """The same, with all faults of all kinds handed back instead of raised."""
    items = distro.artifacts(cluster)
    expected = expected_hashes(cluster, distro, items)
    files: dict[str, File] = {}
    unreadable: list[str] = []
    for item in items:
        if _here(cluster, item):
            try:
                files[item.id] = _hashed(cluster.artifacts_dir / item.file, digest)
            except OSError as error:
                unreadable.append(f"{cluster.artifacts_dir / item.file}: cannot be read: {error.strerror}")
    wrong = [
        f"{file.path}: its sha256 is {file.sha256[:12]}…, and should be {expected[file.path.name][:12]}…"
        for file in files.values()
        if expected.get(file.path.name, file.sha256) != file.sha256
    ]
    wrong += _of_another_version(cluster, items, files)
    missing, unchecked = _missing(cluster, items), _unchecked(items, files, expected)
    return Inspection(files, len(items), missing, tuple(unreadable), tuple(wrong), unchecked)


def _of_another_version(
    cluster: Cluster, items: Sequence[ArtifactItem], files: Mapping[str, File]
) -> list[str]:
    """Files that mk8s itself fetched as another version's: whole, and the wrong ones."""
    came = read_origins(cluster.artifacts_dir)
    found = [(item, files[item.id]) for item in items if item.id in files]
    return [
        f"{file.path}: was fetched from {came[item.file].url}, and {cluster.version} wants {item.origin.url}"
        for item, file in found
        if is_of_another(came.get(item.file), file.sha256, item.origin.url)
    ]


def _here(cluster: Cluster, item: ArtifactItem) -> bool:
    return (cluster.artifacts_dir / item.file).is_file()


def _missing(cluster: Cluster, items: Sequence[ArtifactItem]) -> tuple[str, ...]:
    return tuple(
        f"{item.file}  ({item.purpose})" for item in items if item.required and not _here(cluster, item)
    )


def _unchecked(
    items: Sequence[ArtifactItem], files: Mapping[str, File], expected: Mapping[str, str]
) -> tuple[str, ...]:
    """Of the release's own files: the lists of hashes are not in themselves, and manifests lie elsewhere."""
    return tuple(
        item.file
        for item in items
        if item.id in files and not item.id.startswith(CHECKSUMS) and not Path(item.file).is_absolute()
        if files[item.id].path.name not in expected
    )


def expected_hashes(cluster: Cluster, distro: Catalogue, items: Sequence[ArtifactItem]) -> dict[str, str]:
    """What each file should hash to: by the first download, the distro's checksum files, the manifest.

    The later wins. A file that the manifest renames is still listed under the distro's own name, unless its
    new name is another file of the release, such as RKE2's images as .tar.gz.
    """
    found = read_checksums(_text_of(cluster.artifacts_dir / RECORDED))
    names = {item.id: item.file for item in distro.artifacts(replace(cluster, artifacts={}))}
    for item in items:
        if item.id.startswith(CHECKSUMS) and _here(cluster, item):
            found.update(distro.checksums(_text_of(cluster.artifacts_dir / item.file)))
    renamed = [item for item in items if item.file != name_in(item.origin.url)]
    found |= {item.file: found[name] for item in renamed if (name := names.get(item.id)) in found}
    for item in items:
        given = cluster.artifacts.get(item.id)
        if given and given.checksum:
            found[item.file] = given.checksum.removeprefix("sha256:").lower()
    return found


def _text_of(path: Path) -> str:
    """A checksum file; nothing where it cannot be read, which its own hashing tells."""
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _hashed(path: Path, digest: Digest) -> File:
    return File(path, path.stat().st_size, digest(path))
