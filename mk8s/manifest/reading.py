"""From a manifest's path to a cluster: the one place of this package that touches files.

It reads the manifest and looks whether the files that it names can be read: keys, and what is applied
to the cluster. It writes nothing, asks no node, and does not look for the release. Every mistake is
reported at once.

Begin reading at `load_cluster`.
"""

from __future__ import annotations

import hashlib
import os
import pwd
import stat
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from machines.documents import parse_document
from machines.errors import DocumentError, Fault
from mk8s.amounts import counted
from mk8s.cluster import Cluster
from mk8s.distros.base import distro_names
from mk8s.errors import ManifestError
from mk8s.manifest.checking import read_manifest
from mk8s.manifest.mistaken import BEGINNING, mistaken_for
from mk8s.manifest.resolving import Place, resolve
from mk8s.manifest.source import EACH, Source
from mk8s.manifest.values import Wrong, path_text
from mk8s.state import STATE_JOURNAL

__all__ = ["MAX_BYTES", "LoadedCluster", "load_cluster", "load_cluster_text"]

MAX_BYTES = 4 << 20
"""The most that is read of a manifest, enough for 20 000 nodes: a wrong file must not fill the memory."""

TOLD_AT_MOST = 50
LookForFiles: TypeAlias = Callable[[Source, Place], Iterator[Fault]]
KEY_FILES = (("ssh", "key_path"), ("nodes", EACH, "ssh_key_path"))


@dataclass(frozen=True, slots=True)
class LoadedCluster:
    """A manifest read: the cluster, what mk8s decided in the user's place, and the text itself."""

    cluster: Cluster
    notices: tuple[str, ...]
    text: str


def load_cluster(
    path: Path,
    *,
    home: Path | None = None,
    operator: str | None = None,
    distros: Sequence[str] | None = None,
    keys: bool = True,
) -> LoadedCluster:
    """Read the manifest at `path`. Raises ManifestError with every fault; no node is touched.

    `home` and `operator` (the login name for nodes that give none) are those of the process unless
    given; `distros` are the names that a driver is installed for. Without `keys` the keys for SSH need
    not be here: the release is fetched and bundled on a machine that reaches no node.
    """
    place = _place(path, home, operator)
    return _load(_read(path), place, distros, look_for=[*([_key_faults] if keys else []), *NAMED_FILES])


def load_cluster_text(
    text: str,
    path: Path,
    *,
    home: Path | None = None,
    operator: str | None = None,
    distros: Sequence[str] | None = None,
) -> LoadedCluster:
    """The same for a text that stood, or could stand, at `path`. Looks at no file that it names."""
    return _load(text.encode("utf-8", "surrogatepass"), _place(path, home, operator), distros)


def _place(path: Path, home: Path | None, operator: str | None) -> Place:
    return Place(
        source=path,
        folder=path.absolute().parent,
        home=home or Path(os.path.expanduser("~")),  # noqa: PTH111  never raises, unlike Path.home
        operator=operator or _login_name(),
    )


def _login_name() -> str:
    try:
        return pwd.getpwuid(os.getuid()).pw_name
    except KeyError:  # a container may run under a number that has no name
        return "root"


def _load(
    data: bytes, place: Place, distros: Sequence[str] | None, *, look_for: Sequence[LookForFiles] = ()
) -> LoadedCluster:
    name = str(place.source)
    try:
        document = parse_document(data, name, max_bytes=MAX_BYTES)
    except DocumentError as error:
        raise _refused(name, error.faults) from error
    text = data.decode("utf-8")
    source = Source(document, text)
    form, faults = read_manifest(source, distro_names() if distros is None else distros)
    for find in look_for:
        faults += find(source, place)
    if form is None or faults:
        raise _refused(name, sorted(faults, key=lambda fault: (fault.line, fault.column)))
    cluster, notices = resolve(form, place, hashlib.sha256(data).hexdigest())
    return LoadedCluster(cluster, notices, text)


def _refused(name: str, faults: Sequence[Fault]) -> ManifestError:
    told = [str(fault) for fault in faults[:TOLD_AT_MOST]]
    if len(faults) > len(told):
        told.append(f"... and {len(faults) - len(told)} more")
    count = counted(len(faults), "mistake")
    return ManifestError("\n".join([f"{name}: {count}; no node was touched", *told]), faults=faults)


def _read(path: Path) -> bytes:
    """The bytes of an ordinary file that is not too large. Raises ManifestError."""
    try:
        with open(path, "rb", opener=_without_waiting) as file:
            found = os.fstat(file.fileno())
            if not stat.S_ISREG(found.st_mode):
                raise ManifestError(f"{path} is not an ordinary file", remedy=_remedy(path))
            beginning = file.read(BEGINNING)
            if mistaken := mistaken_for(beginning, str(path)):
                raise ManifestError(f"{path} is no manifest: it is {mistaken.what}", remedy=mistaken.remedy)
            if found.st_size > MAX_BYTES:
                raise _refused(str(path), [_too_large(str(path), found.st_size)])
            return beginning + file.read(MAX_BYTES + 1 - len(beginning))  # it may have grown just now
    except (OSError, ValueError) as error:
        raise _unreadable(path, error) from error


def _without_waiting(path: str, flags: int) -> int:
    """Open without waiting for a writer, should the path be a pipe."""
    return os.open(path, flags | os.O_NONBLOCK)


def _too_large(name: str, size: int) -> Fault:
    message = f"the file has {size} bytes, and {MAX_BYTES} are the most that a manifest can have"
    return Fault(name, 1, 1, "", message, "is this the right file?")


def _unreadable(path: Path, error: OSError | ValueError) -> ManifestError:
    return ManifestError(f"{str(path)!a} cannot be read: {_why(error)}", remedy=_remedy(path))


def _why(error: OSError | ValueError) -> str:
    """The system's words; a ValueError is a path with a NUL in it."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _remedy(path: Path) -> str:
    if _is_folder(path / STATE_JOURNAL):
        return f"it is a state folder; name the manifest, and it with --state: cluster.yaml --state {path}"
    if _is_folder(path):
        return f"it is a folder; name the manifest in it, such as {path / 'cluster.yaml'}"
    return "name the manifest's file; docs/manifest.md shows how to write one"


def _is_folder(path: Path) -> bool:
    try:
        return path.is_dir()
    except (OSError, ValueError):
        return False


def _key_faults(source: Source, place: Place) -> Iterator[Fault]:
    """Key files that cannot be used, each told once, where it is named first."""
    told: set[Path] = set()
    local = {path for path, node in source.nodes() if node.get("local") is True}
    for pattern in KEY_FILES:
        for path, text in source.words(*pattern):
            if path[:-1] in local or path_text(text) is not None:
                continue
            file = place.locate(text)
            wrong = None if file in told else _key_problem(file)
            told.add(file)
            if wrong:
                yield source.fault(path, wrong)


def _key_problem(file: Path) -> Wrong | None:
    hint = "name the private key that logs you in, or leave the key out to use your agent and the usual files"
    if file.suffix == ".pub":
        return Wrong(f"{file} is the public half of a key", f"name the private one: {file.with_suffix('')}")
    return _unusable(file, f"the key file {file}", hint)


def _applied_faults(source: Source, place: Place) -> Iterator[Fault]:
    """Files of `manifests` that cannot be read: found now, not when the cluster stands."""
    for path, text in source.words("manifests", EACH):
        if path_text(text) is not None:
            continue
        file = place.locate(text)
        wrong = _unusable(file, str(file), f"name a YAML file; it is seen from {place.folder}")
        if wrong and _is_folder(file):
            wrong = Wrong(f"{file} is a folder", "name the files in it one by one, in the order they need")
        if wrong:
            yield source.fault(path, wrong)


CERTIFICATES: tuple[tuple[tuple[str, ...], str], ...] = (
    (
        ("registries", "access", EACH, "ca_file"),
        "name the certificate, in PEM form, of the authority that signed the registry's own",
    ),
    (("datastore", "ca_file"), "name the certificate, in PEM form, of the authority of the datastore"),
    (("datastore", "cert_file"), "name the client certificate, in PEM form"),
    (("datastore", "key_file"), "name the key of the client certificate, in PEM form"),
    (("ssh", "certificate_path"), "name the certificate of your key, such as id_ed25519-cert.pub"),
    (("nodes", EACH, "certificate_path"), "name the certificate of your key, such as id_ed25519-cert.pub"),
)


def _certificate_faults(source: Source, place: Place) -> Iterator[Fault]:
    """Certificates that cannot be read. What is in them is looked at when they are used."""
    for pattern, hint in CERTIFICATES:
        for path, text in source.words(*pattern):
            wrong = None if path_text(text) else _unusable(place.locate(text), text, hint)
            if wrong:
                yield source.fault(path, wrong)


NAMED_FILES: tuple[LookForFiles, ...] = (_applied_faults, _certificate_faults)


def _unusable(file: Path, called: str, hint: str) -> Wrong | None:
    """Why a file cannot be read, without waiting for a writer should it be a pipe."""
    try:
        with open(file, "rb", opener=_without_waiting) as stream:
            usual = stat.S_ISREG(os.fstat(stream.fileno()).st_mode)
            return None if usual else Wrong(f"{called} is not an ordinary file", hint)
    except (OSError, ValueError) as error:
        return Wrong(f"{called} cannot be read: {_why(error)}", hint)
