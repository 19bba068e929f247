"""Which names in a state folder are the runs' own: for whoever writes where a person says. Writes nothing."""

from __future__ import annotations

from pathlib import Path

from machines.files import JOURNAL
from mk8s.fanout.places import NAME as FAN_OUT
from mk8s.state import HOLDER, STATE_JOURNAL, StateFolder

__all__ = ["keeper_of"]


def keeper_of(path: Path) -> Path | None:
    """The state folder in which runs keep something of this name, there or not; None: it is nobody's."""
    place = path.parent.resolve() / path.name
    for folder in place.parents:
        if place.relative_to(folder).parts[0] in KEPT and _is_state_folder(folder):
            return folder
    return None


def _is_state_folder(folder: Path) -> bool:
    return folder.parent.name == HOLDER or (folder / STATE_JOURNAL / JOURNAL).is_file()


def _names() -> frozenset[str]:
    some = StateFolder(Path("some"))
    kept = [
        some.journal, some.secrets, some.kept, some.pki, some.transcript, some.kubeconfig, some.known_hosts,
        some.accepted_manifest, some.rendered("node"), some.folder / FAN_OUT,
    ]  # fmt: skip
    return frozenset(path.relative_to(some.folder).parts[0] for path in kept)


KEPT = _names()
