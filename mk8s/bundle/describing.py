"""What is in a bundle, for people and for programs: what `mk8s bundle inspect` prints."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import msgspec

from mk8s.amounts import bytes_in_words
from mk8s.bundle.head import Head
from mk8s.bundle.index import ARTIFACTS, RUNTIME, Entry, HostNeeds, Index

__all__ = ["as_data", "as_text", "hosts_in_words"]

PORTS_TOLD = 12


def as_text(head: Head) -> str:
    """A page."""
    return "\n".join([*_about(head), "", *_files(head), "", *hosts_in_words(head.index)])


def as_data(head: Head) -> dict[str, Any]:
    """The index, and what is known of the file."""
    index: dict[str, Any] = msgspec.to_builtins(head.index)
    note = msgspec.to_builtins(head.note) if head.note else None
    return {"sha256": head.digest, "signed": bool(head.signature), "delta": note, "index": index}


def _about(head: Head) -> Iterator[str]:
    index = head.index
    yield f"cluster    {index.cluster}: {index.distro} {index.version} for {', '.join(index.arches)}"
    yield f"made by    mk8s {index.mk8s}" + (f", {index.created}" if index.created else "")
    yield f"identity   {head.digest} (sha256 of bundle.json)"
    yield f"signed     {'yes; `mk8s bundle verify` says by whom' if head.signature else 'no'}"
    if head.note:
        carried = sum(entry.size for entry in head.carried)
        yield (
            f"delta      {len(head.carried)} of {len(index.members)} members, {bytes_in_words(carried)}; "
            f"the others are those of {head.note.base_version} ({head.note.base[:12]}…)"
        )


def _files(head: Head) -> Iterator[str]:
    index = head.index
    runtime = [entry for entry in index.members if entry.path.startswith(RUNTIME)]
    others = [entry for entry in index.members if not entry.path.startswith(RUNTIME)]
    width = max(len(entry.path) for entry in others)
    for entry in others:
        yield f"{bytes_in_words(entry.size):>10}  {entry.path:<{width}}  {_purpose(entry)}".rstrip()
    if runtime:
        size = bytes_in_words(sum(entry.size for entry in runtime))
        words = f"mk8s {index.mk8s} itself, in {len(runtime)} files"
        yield f"{size:>10}  {RUNTIME:<{width}}  {words}"
    yield f"{bytes_in_words(index.size):>10}  in all"


def _purpose(entry: Entry) -> str:
    if not entry.path.startswith(ARTIFACTS) or not entry.details:
        return ""
    words = list(dict.fromkeys(one.purpose for one in entry.details))
    places = list(dict.fromkeys(one.destination for one in entry.details if one.destination))
    return ", ".join(words) + (f" -> {', '.join(places)}" if places else "")


def hosts_in_words(index: Index) -> Iterator[str]:
    """What the hosts must have themselves, in lines."""
    if not index.hosts:
        yield f"what the hosts must have is not known for {index.distro}"
    for needs in index.hosts:
        yield f"what each {' and '.join(needs.roles)} must have:"
        yield from (f"  {line}" for line in _needs(needs))


def _needs(needs: HostNeeds) -> Iterator[str]:
    yield "Linux with systemd, an SSH server, and a login that may become root"
    if needs.memory or needs.cpus:
        yield f"memory {bytes_in_words(needs.memory)}, processors {needs.cpus}"
    if needs.programs:
        yield f"programs: {', '.join(needs.programs)}"
    if needs.modules:
        yield f"kernel modules: {', '.join(needs.modules)}"
    if needs.ports:
        more = f" and {len(needs.ports) - PORTS_TOLD} more" if len(needs.ports) > PORTS_TOLD else ""
        yield f"free ports: {', '.join(needs.ports[:PORTS_TOLD])}{more}"
