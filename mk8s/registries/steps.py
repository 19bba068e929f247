"""The small files about registries that every runtime needs on a node, as steps. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.commands import has_folder, make_folder
from mk8s.registries.hosts import host_files
from mk8s.registries.known import AUTHORITIES, Given, authority_file
from mk8s.steps import Run, Step, WriteFile

__all__ = ["authority_steps", "host_steps"]


def authority_steps(given: Given | None) -> list[Step]:
    """The certificates of registries' authorities, where `Given.authority_of` says that they lie."""
    named = [host for host, access in given.registries.access.items() if access.ca_file] if given else []
    if not given or not named:
        return []
    return [_folder(AUTHORITIES), *(_certificate(given, host) for host in named)]


def host_steps(given: Given | None, certs_d: PurePosixPath) -> list[Step]:
    """containerd's folders of registries below `certs_d`, which is there."""
    steps: list[Step] = []
    for path, content in (host_files(given) if given else {}).items():
        target = certs_d / path
        steps += [_folder(target.parent), WriteFile(f"write {target}", target, content)]
    return steps


def _certificate(given: Given, host: str) -> WriteFile:
    """A plan has not read the file: it shows whose certificate it is."""
    nominal = f"the content of {given.registries.access[host].ca_file}\n".encode()
    target = authority_file(host)
    return WriteFile(f"write {target}", target, given.authorities.get(host, nominal))


def _folder(path: PurePosixPath) -> Run:
    return Run(f"make the folder {path}", make_folder(path), has_folder(path))
