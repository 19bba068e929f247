"""The folder in which a cluster's run is kept: journal, secrets, transcript, kubeconfig, what was sent.

By default it is ``.mk8s/<cluster>/`` beside the manifest. What lies there can take over the cluster,
so the folder is its owner's alone (0700, files 0600), is never reached over a link, and is kept out
of git. A folder that others could have written to is refused, not repaired.

Law: a file here is there whole or not at all (`write_private`), or it is appended to in whole lines
(`TranscriptWriter`). Begin reading at `StateFolder.open`.
"""

from __future__ import annotations

import errno
import json
import os
import stat
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from typing import Any

from mk8s.disks import Write, refusals_explained, sync_folder, write_all
from mk8s.errors import Mk8sError

__all__ = ["StateFolder", "TranscriptWriter", "read_private", "refuse_untrusted", "write_private"]

HOLDER = ".mk8s"
STATE_JOURNAL = "journal"  # a folder of its own: the journal locks it
TRANSCRIPT = "transcript.jsonl"
PRIVATE_FOLDER = 0o700
PRIVATE_FILE = 0o600
WRITABLE_BY_OTHERS = stat.S_IWGRP | stat.S_IWOTH

REMEDIES = {
    errno.ENOSPC: "free some space on that disk, then run again: what was kept so far is whole",
    errno.EDQUOT: "your quota on that disk is used up: free some space, then run again",
    errno.EROFS: "the disk is read-only: name another folder with --state",
    errno.EACCES: "run as the owner of the folder, or name another one with --state",
    errno.EPERM: "run as the owner of the folder, or name another one with --state",
    errno.ENOTDIR: "a part of this path is a file: name another folder with --state",
    errno.EISDIR: "a folder stands where a file belongs: move it away",
}


@dataclass(frozen=True, slots=True)
class StateFolder:
    """One cluster's state folder, made and trusted. `open` makes it."""

    folder: Path

    @classmethod
    def open(cls, manifest: Path, cluster: str, override: Path | None = None) -> StateFolder:
        """The state folder of a cluster, made where it is not there yet. Begins nothing in it.

        `override` is the folder itself; by default it is ``.mk8s/<cluster>`` beside the manifest.
        Raises Mk8sError when it cannot be made, or when others than its owner could have changed it.
        """
        if override is not None:
            folder = override.absolute()
            _make_named(folder)
        else:
            holder = manifest.absolute().parent / HOLDER
            folder = holder / cluster
            _make(holder)
            _keep_out_of_git(holder)
            _make(folder)
        return cls(folder)

    @classmethod
    def look(cls, manifest: Path, cluster: str, override: Path | None = None) -> StateFolder:
        """The same folder for one who only reads: trusted where it is there, and never made."""
        folder = override.absolute() if override else manifest.absolute().parent / HOLDER / cluster
        with _explained(folder, "read"):
            for part in (folder,) if override else (folder.parent, folder):
                if os.path.lexists(part):
                    refuse_untrusted(part, part.lstat())
        return cls(folder)

    @property
    def journal(self) -> Path:
        """A folder of its own: the journal locks it."""
        return self.folder / STATE_JOURNAL

    @property
    def secrets(self) -> Path:
        return self.folder / "secrets.json"

    @property
    def kept(self) -> Path:
        """Words, numbers and what each certificate was asked for; see `mk8s.ledger`."""
        return self.folder / "kept.json"

    @property
    def pki(self) -> Path:
        """Keys and certificates that mk8s made; see `mk8s.keeper`."""
        return self.folder / "pki"

    @property
    def transcript(self) -> Path:
        return self.folder / TRANSCRIPT

    @property
    def kubeconfig(self) -> Path:
        return self.folder / "kubeconfig"

    @property
    def known_hosts(self) -> Path:
        """Host keys that were accepted for this cluster alone."""
        return self.folder / "known_hosts"

    @property
    def accepted_manifest(self) -> Path:
        """The manifest of the last run, as it was."""
        return self.folder / "manifest.yaml"

    def rendered(self, node: str) -> Path:
        """The folder for a node's files as they are sent, but for the secrets. See `mk8s.rendered`."""
        return self.folder / "rendered" / node

    def write_private(self, path: Path, content: bytes) -> None:
        """`write_private`, for a path in this folder; folders between are made (0700).

        Raises ValueError for a path elsewhere, Mk8sError when the disk refuses.
        """
        between = path.relative_to(self.folder).parts[:-1]
        if ".." in between:
            raise ValueError(f"{path} leaves {self.folder}")
        place = self.folder
        for part in between:
            place = place / part
            _make(place)
        write_private(path, content)

    def transcript_writer(self, redact: Callable[[str], str]) -> TranscriptWriter:
        """A writer to the transcript; `redact` takes every secret out of a line before it is written."""
        return TranscriptWriter(self.transcript, redact)


class TranscriptWriter:
    """Every command and its outcome, one JSON line each, appended. Opened at the first entry.

    A crash tears at most the last line; the next writer begins on a line of its own.
    """

    def __init__(self, path: Path, redact: Callable[[str], str], *, write: Write = os.write) -> None:
        self._path = path
        self._write = write
        self._redact = redact
        self._descriptor = -1

    def __call__(self, entry: Mapping[str, Any]) -> None:
        """Append an entry of JSON values; others are written as their text. Raises Mk8sError."""
        line = json.dumps(_redacted(entry, self._redact), ensure_ascii=False)
        data = line.encode("utf-8", "backslashreplace") + b"\n"
        with _explained(self._path, "written"):
            if self._descriptor < 0:
                self._descriptor = _open_for_append(self._path)
            write_all(self._descriptor, data, self._write)

    def close(self) -> None:
        """Let go of the file. Closing twice is fine; a later entry opens it again."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> TranscriptWriter:
        return self

    def __exit__(self, *_problem: object) -> None:
        self.close()


def write_private(path: Path, content: bytes, *, write: Write = os.write) -> None:
    """Put a file there for its owner alone (0600), in one move, durable when this returns.

    Whoever reads sees the old content or the new; a link at `path` is replaced, not followed.
    Raises Mk8sError when the disk is full, read-only or not ours; the old content is then untouched.
    """
    temporary = path.with_name(f".{path.name[:200]}.{token_hex(8)}.tmp")
    with _explained(path, "written"):
        try:
            _write_new(temporary, content, write)
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        sync_folder(path.parent)


def read_private(path: Path, at_most: int, *, holds: str, otherwise: str) -> bytes | None:
    """The first `at_most` bytes of a file that its owner alone can read; None: there is none.

    `holds` says what others must not read, `otherwise` what to do when they have. Raises Mk8sError for
    a link, a pipe, another user's file and one that is open to others.
    """
    try:
        with open(path, "rb", opener=_open_file_itself) as file:
            _refuse_open_file(path, os.fstat(file.fileno()), holds, otherwise)
            return file.read(at_most)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Mk8sError(
            f"{path} cannot be read: {error.strerror}",
            remedy="it must be a file that belongs to you, and no link",
        ) from error


def _open_file_itself(path: str, flags: int) -> int:
    """Open no link, and do not wait for a writer should this be a pipe."""
    return os.open(path, flags | os.O_NOFOLLOW | os.O_NONBLOCK)


def _refuse_open_file(path: Path, found: os.stat_result, holds: str, otherwise: str) -> None:
    """Raises Mk8sError when the file is not an ordinary one that its owner alone can read."""
    if not stat.S_ISREG(found.st_mode):
        raise Mk8sError(f"{path} is not an ordinary file", remedy="move it away, then run again")
    if found.st_uid != os.geteuid():
        raise Mk8sError(
            f"{path} belongs to user {found.st_uid}, and mk8s runs as {os.geteuid()}",
            remedy="run as the owner of the state folder",
        )
    mode = stat.S_IMODE(found.st_mode)
    if mode & 0o077:
        raise Mk8sError(
            f"{path} is open to others than you (mode {mode:04o})",
            cause=f"it holds {holds}",
            remedy=f"if nobody has read it: chmod 600 {path}; otherwise {otherwise}",
        )


def _write_new(path: Path, content: bytes, write: Write) -> None:
    descriptor = os.open(
        path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, PRIVATE_FILE
    )
    try:
        os.fchmod(descriptor, PRIVATE_FILE)  # whatever the umask
        write_all(descriptor, content, write)
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _open_for_append(path: Path) -> int:
    flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
    descriptor = os.open(path, flags, PRIVATE_FILE)
    try:
        os.fchmod(descriptor, PRIVATE_FILE)
        size = os.fstat(descriptor).st_size
        if size and os.pread(descriptor, 1, size - 1) != b"\n":
            write_all(descriptor, b"\n", os.write)  # the last line was torn
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _redacted(value: Any, redact: Callable[[str], str]) -> Any:
    """A value without secrets. Texts one by one, before JSON escapes what is in them."""
    if isinstance(value, str):
        return redact(value)
    if isinstance(value, bytes):
        return redact(value.decode("utf-8", "backslashreplace"))
    if isinstance(value, Mapping):
        return {redact(str(key)): _redacted(item, redact) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_redacted(item, redact) for item in value]
    return value if value is None or isinstance(value, bool | int | float) else redact(str(value))


def _make(folder: Path) -> None:
    """Make a private folder, or trust the one that is there. Raises Mk8sError."""
    with _explained(folder, "made"):
        if not os.path.lexists(folder):
            folder.mkdir(mode=PRIVATE_FOLDER, exist_ok=True)
            sync_folder(folder.parent)
        refuse_untrusted(folder, folder.lstat())
        folder.chmod(PRIVATE_FOLDER)  # it may have been readable, or narrowed by the umask


def _make_named(folder: Path) -> None:
    """The same for a folder that the user named: one that is there keeps its mode."""
    with _explained(folder, "made"):
        if os.path.lexists(folder):
            refuse_untrusted(folder, folder.lstat())
            return
        folder.parent.mkdir(parents=True, exist_ok=True)
    _make(folder)


def refuse_untrusted(folder: Path, found: os.stat_result) -> None:
    """Raises Mk8sError for a folder that others could have put something into."""
    if stat.S_ISLNK(found.st_mode):
        raise _untrusted(folder, "is a link", "remove the link, or name the folder itself with --state")
    if not stat.S_ISDIR(found.st_mode):
        remedy = (
            "name the folder of this cluster's runs, or a new one, with --state; a journal in a file is "
            "named with --journal: mk8s replay (or journal, report, graph --run)"
        )
        raise Mk8sError(f"the state folder {folder} is not a folder", remedy=remedy)
    if found.st_uid != os.geteuid():
        remedy = "run as the owner, or name another folder with --state"
        raise _untrusted(folder, f"belongs to user {found.st_uid}, and mk8s runs as {os.geteuid()}", remedy)
    if found.st_mode & WRITABLE_BY_OTHERS:
        remedy = f"if you trust what is in it: chmod 700 {folder}"
        raise _untrusted(folder, f"can be changed by others (mode {stat.S_IMODE(found.st_mode):04o})", remedy)


def _untrusted(folder: Path, why: str, remedy: str) -> Mk8sError:
    return Mk8sError(
        f"the state folder {folder} {why}", cause="it holds the cluster's secrets", remedy=remedy
    )


def _keep_out_of_git(holder: Path) -> None:
    path = holder / ".gitignore"
    if not os.path.lexists(path):
        write_private(path, b"*\n")


def _explained(path: Path, what: str) -> AbstractContextManager[None]:
    """Turn the system's refusals into problems with a remedy."""
    return refusals_explained(path, what, REMEDIES)
