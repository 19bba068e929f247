"""The runtime of a bundle laid out in a folder, as whoever unpacks the bundle has it."""

from __future__ import annotations

import shutil
from collections.abc import Iterable
from pathlib import Path

from mk8s.bundle.index import Member
from transports.base import File


def lay_out(members: Iterable[Member], folder: Path) -> Path:
    """Write members below a folder, with their modes; returns the folder."""
    for member in members:
        path = folder / member.path
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(member.source, File):
            shutil.copyfile(member.source.path, path)
        else:
            path.write_bytes(member.source.content)
        path.chmod(0o755 if member.executable else 0o644)
    return folder
