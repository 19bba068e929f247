"""Patches fit exactly, or the build ends."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.lab.errors import LabError
from mk8s.lab.real.patches import PATCHES, Patch, apply, replace_folder

PATCH = Patch("a.go", "if !ok {\n\tcancel()\n", "if !ok {\n\tcancel()\n\tclose(c)\n", "a bug")
# As in v1.20.2's decorated_watcher.go: a second cancel() nearby must stay as it is.
WATCHER = (
    "\t\tcase recv, ok = <-d.w.ResultChan():\n"
    "\t\t\tif !ok {\n\t\t\t\td.cancel()\n\t\t\t\treturn\n\t\t\t}\n"
    "\t\t\t\tif send.Type == watch.Error {\n\t\t\t\t\td.cancel()\n\t\t\t\t}\n"
)


def test_the_watcher_closes_its_channel_when_its_source_ends() -> None:
    """Without it, watches of Services hang whenever etcd has no leader."""
    (patch,) = (patch for patch in PATCHES if patch.path.endswith("decorated_watcher.go"))
    assert apply(patch, WATCHER) == WATCHER.replace(
        "d.cancel()\n\t\t\t\treturn", "d.cancel()\n\t\t\t\tclose(d.resultCh)\n\t\t\t\treturn"
    )


def test_every_patch_tells_its_reason() -> None:
    assert all(patch.reason for patch in PATCHES)


def test_a_patch_that_is_in_already_is_not_put_in_again() -> None:
    """A build that was cut off goes on."""
    once = apply(PATCH, "x\nif !ok {\n\tcancel()\n\treturn\n}\n")
    assert apply(PATCH, once) == once


@pytest.mark.parametrize("times", [0, 2])
def test_a_source_without_exactly_that_text_is_refused(times: int) -> None:
    """It is not the source that the patch was written for."""
    with pytest.raises(LabError, match=r"the patch of a\.go does not fit") as refused:
        apply(PATCH, PATCH.old * times)
    assert refused.value.cause == f"the text to replace is in it {times} times"


def test_a_replaced_library_keeps_nothing_of_its_old_code(tmp_path: Path) -> None:
    """A file of the old version beside the new ones would be compiled, too; the licence stays."""
    old, new = tmp_path / "old", tmp_path / "new"
    for folder, names in ((old, ("a.go", "gone.go", "gone.s", "LICENSE")), (new, ("a.go", "b.go", "go.mod"))):
        folder.mkdir()
        for name in names:
            (folder / name).write_text(folder.name)
    replace_folder(old, new)
    assert {path.name: path.read_text() for path in old.iterdir()} == {
        "a.go": "new",
        "b.go": "new",
        "LICENSE": "old",
    }
