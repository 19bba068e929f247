"""What a finished release is known by."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from mk8s.lab.real.recipe import HERE, programs_digest, release_digest


@pytest.fixture
def package(tmp_path: Path) -> Path:
    """A copy of the whole package."""
    return Path(shutil.copytree(HERE, tmp_path / "real", ignore=shutil.ignore_patterns("__pycache__")))


def test_the_same_text_is_the_same_release(package: Path) -> None:
    """Wherever it lies, and whatever Python has put beside it."""
    (package / "__pycache__").mkdir()
    (package / "__pycache__/recipe.cpython-311.pyc").write_bytes(b"x")
    assert (release_digest(package), programs_digest(package)) == (release_digest(), programs_digest())


@pytest.mark.parametrize("name", ["contents.py", "artifacts.py", "files/README.txt"])
def test_what_is_packed_otherwise_is_another_release_of_the_same_programs(package: Path, name: str) -> None:
    """Packing takes seconds, compiling minutes."""
    (package / name).write_text("changed")
    assert release_digest(package) != release_digest()
    assert programs_digest(package) == programs_digest()


@pytest.mark.parametrize("name", ["recipe.py", "building.py", "patches.py", "files/crictl/main.go"])
def test_what_is_compiled_otherwise_is_compiled_anew(package: Path, name: str) -> None:
    (package / name).write_text("changed")
    assert programs_digest(package) != programs_digest()


def test_text_that_moves_from_one_file_to_another_is_another_recipe(package: Path) -> None:
    """The digest knows where a file ends."""
    first, second = package / "building.py", package / "patches.py"
    text = first.read_bytes()
    first.write_bytes(text[:-10])
    second.write_bytes(text[-10:] + second.read_bytes())
    assert programs_digest(package) != programs_digest()
