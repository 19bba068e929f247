"""What is changed in Kubernetes' source before it is compiled, and why. Pure, but for `replace_folder`.

A patch fits exactly or not at all: a source that does not have the old text once is refused.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

from mk8s.lab.errors import LabError

__all__ = ["PATCHES", "REFLECT2", "Patch", "apply", "apply_all", "replace_folder"]


@dataclass(frozen=True, slots=True)
class Patch:
    """In the file at `path` (relative to the source), `old` becomes `new`."""

    path: str
    old: str
    new: str
    reason: str


PATCHES = (
    Patch(
        "staging/src/k8s.io/apiserver/pkg/registry/generic/registry/decorated_watcher.go",
        "\t\t\tif !ok {\n\t\t\t\td.cancel()\n",
        "\t\t\tif !ok {\n\t\t\t\td.cancel()\n\t\t\t\tclose(d.resultCh)\n",
        # Upstream mended it later in the same way.
        "A bug of this version: when etcd has no leader for a moment, which is always when a second server "
        "joins, watches of Services stay open and silent, and kube-proxy is blind for up to ten minutes.",
    ),
)

REFLECT2 = "vendor/github.com/modern-go/reflect2"
"""Replaced as a whole by Debian's 1.0.2: 1.0.1 calls reflect.mapiterinit with the signature that it had
before Go 1.18, and crashes on maps."""


def apply(patch: Patch, text: str) -> str:
    """The text after the patch; one that has it already is left alone. Raises LabError if it does not fit."""
    if patch.new in text:
        return text
    if text.count(patch.old) != 1:
        raise LabError(
            f"the patch of {patch.path} does not fit",
            cause=f"the text to replace is in it {text.count(patch.old)} times",
        )
    return text.replace(patch.old, patch.new)


def apply_all(source: Path) -> None:
    for patch in PATCHES:
        path = source / patch.path
        path.write_text(apply(patch, path.read_text()))


def replace_folder(old: Path, new: Path) -> None:
    """Put the Go and assembler files of `new` in the place of those of `old`; the rest stays."""
    for path in old.iterdir():
        if path.suffix in (".go", ".s"):
            path.unlink()
    for path in new.iterdir():
        if path.suffix in (".go", ".s"):
            shutil.copyfile(path, old / path.name)
