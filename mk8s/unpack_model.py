"""What `archive.unpack` does with the bytes of an archive, for simulated hosts alone. See `mk8s.modelled`."""

from __future__ import annotations

import io
import tarfile
from pathlib import PurePosixPath

from mk8s.model_answers import refuse
from transports.base import Outcome
from transports.simulated import SimulatedHost

__all__ = ["FATAL", "unpack"]

FATAL = "tar: Error is not recoverable: exiting now"


def unpack(host: SimulatedHost, archive: PurePosixPath, prefix: PurePosixPath) -> Outcome:
    """Put what the archive's bytes hold under the prefix, or refuse it as the script does."""
    content = host.files[archive].content
    if content is None:
        raise AssertionError(
            f"{host.name}: nobody said what is in {archive.name}; see SimulatedHost.archives"
        )
    try:
        with tarfile.open(fileobj=io.BytesIO(content)) as tar:
            members = [(member, _member_content(tar, member)) for member in tar.getmembers()]
    except tarfile.TarError:
        return refuse(f"tar: This does not look like a tar archive\n{FATAL}", 2)
    for member, _ in members:
        if member.name.startswith("/") or ".." in member.name.split("/"):
            return refuse(f"refused: the archive holds the name {member.name}", 3)
    host.disk.make_folder(prefix)
    for member, data in members:
        _place_member(host, prefix / member.name, member, data)
    return Outcome(status=0)


def _member_content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> bytes | None:
    stream = tar.extractfile(member) if member.isfile() else None
    return stream.read() if stream else None


def _place_member(
    host: SimulatedHost, path: PurePosixPath, member: tarfile.TarInfo, data: bytes | None
) -> None:
    host.disk.make_folder(path.parent)
    if data is not None:
        host.disk.write(path, data, mode=member.mode & ~0o022)
    elif member.isdir():
        host.disk.make_folder(path, member.mode & ~0o022)
    else:
        raise AssertionError(f"{member.name}: only files and folders in archives are modelled")
