"""Libraries from a folder of wheels: unpacked, checked, and told apart by what they are made for."""

from __future__ import annotations

import base64
import hashlib
import zipfile
from collections.abc import Mapping
from pathlib import Path

import pytest

from mk8s.bundle.index import BundleError
from mk8s.bundle.installed import Shipped, needed_distributions
from mk8s.bundle.target import with_glibc_for
from mk8s.bundle.wheels import Wheels

PURE = "py3-none-any"
NATIVE = "cp312-cp312-manylinux_2_28_aarch64.manylinux2014_aarch64"


def recorded(content: bytes) -> str:
    return f"sha256={base64.urlsafe_b64encode(hashlib.sha256(content).digest()).decode().rstrip('=')}"


def wheel(
    folder: Path,
    name: str,
    tags: str = PURE,
    *,
    requires: tuple[str, ...] = (),
    files: Mapping[str, bytes] | None = None,
    said: Mapping[str, str] | None = None,
) -> Path:
    """A wheel as pip downloads it; `said`: hashes in its RECORD that are not those of its files."""
    info = f"{name}-1.0.dist-info"
    lines = ["Metadata-Version: 2.1", f"Name: {name}", "Version: 1.0", "License: MIT"]
    lines += [f"Requires-Dist: {one}" for one in requires]
    contents = {
        f"{name}.py": b"x = 1\n",
        f"{info}/METADATA": "\n".join([*lines, "", ""]).encode(),
        f"{info}/WHEEL": b"Wheel-Version: 1.0\n",
        **(files or {}),
    }
    hashes = {path: recorded(content) for path, content in contents.items()} | dict(said or {})
    record = "".join(f"{path},{digest},1\n" for path, digest in hashes.items()) + f"{info}/RECORD,,\n"
    target = folder / f"{name}-1.0-{tags}.whl"
    with zipfile.ZipFile(target, "w") as archive:
        for path, content in contents.items():
            archive.writestr(path, content)
        archive.writestr(f"{info}/RECORD", record)
    return target


def everything(folder: Path, *requires: str) -> dict[str, Shipped]:
    wheels = Wheels(folder)
    return {one.name: one for one in needed_distributions(requires, wheels.target, wheels.find)}


def test_the_wheels_say_for_which_python_and_machine_they_are(tmp_path: Path) -> None:
    """By the names of those with native modules; the oldest C library is that of the most demanding one."""
    wheel(tmp_path, "pure")
    wheel(tmp_path, "native", NATIVE)
    wheel(tmp_path, "stable", "cp39-abi3-manylinux_2_34_aarch64")
    found = everything(tmp_path, "native", "stable")
    target = with_glibc_for(Wheels(tmp_path).target, [one.tags for one in found.values()])
    assert target.words == "CPython 3.12 on aarch64 with glibc 2.34 or newer"
    assert target.suffix == ".cpython-312-aarch64-linux-gnu.so"


def test_musl_is_told_apart(tmp_path: Path) -> None:
    """Alpine: the suffix of native modules says so."""
    wheel(tmp_path, "native", "cp313-cp313-musllinux_1_2_x86_64")
    assert Wheels(tmp_path).target.words == "CPython 3.13 on x86_64 with musl"
    assert Wheels(tmp_path).target.suffix == ".cpython-313-x86_64-linux-musl.so"


def test_requirements_are_followed_for_that_python(tmp_path: Path) -> None:
    """Markers are judged for the Python there, not for the one that makes the bundle."""
    wheel(
        tmp_path, "native", NATIVE, requires=('old; python_version < "3.12"', 'new; python_version >= "3.12"')
    )
    wheel(tmp_path, "new", requires=('arm; platform_machine == "aarch64"', 'x; extra == "dev"'))
    wheel(tmp_path, "arm")
    wheel(tmp_path, "unused")
    assert list(everything(tmp_path, "native")) == ["arm", "native", "new"]


def test_a_wheel_is_unpacked_as_an_installer_would(tmp_path: Path) -> None:
    """Libraries from its data folder, no scripts, no tests, and a RECORD of what travels."""
    wheel(
        tmp_path,
        "native",
        NATIVE,
        files={
            "native.libs/lib.so.1": b"elf",
            "native-1.0.data/platlib/deep/module.py": b"y",
            "native-1.0.data/scripts/run": b"#!python",
            "native-1.0.data/headers/x.h": b"h",
            "native/tests/test_it.py": b"t",
        },
    )
    found = everything(tmp_path, "native")["native"]
    assert list(found.files) == [
        "deep/module.py",
        "native-1.0.dist-info/METADATA",
        "native-1.0.dist-info/RECORD",
        "native-1.0.dist-info/WHEEL",
        "native.libs/lib.so.1",
        "native.py",
    ]
    assert (found.version, found.licence) == ("1.0", "MIT")


@pytest.mark.parametrize("name", ["../outside.py", "/etc/cron.d/x", "native/../../x.py"])
def test_nothing_leaves_the_folder(tmp_path: Path, name: str) -> None:
    """Names in archives are foreign words."""
    wheel(tmp_path, "native", NATIVE, files={name: b"evil"})
    assert not [
        path for path in everything(tmp_path, "native")["native"].files if "evil" in path or ".." in path
    ]


def test_a_file_that_is_not_the_recorded_one_is_refused(tmp_path: Path) -> None:
    """A wheel that was tampered with, or damaged on its way."""
    wheel(tmp_path, "native", NATIVE, said={"native.py": recorded(b"other")})
    with pytest.raises(BundleError, match=r"native\.py is not what the wheel's own list of hashes says"):
        everything(tmp_path, "native")


def test_a_wheel_that_is_cut_off_is_refused(tmp_path: Path) -> None:
    """Half of a download."""
    path = wheel(tmp_path, "native", NATIVE)
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(BundleError, match="is not a wheel that can be used"):
        everything(tmp_path, "native")


def test_a_library_that_is_not_there_is_named(tmp_path: Path) -> None:
    """Before the bundle travels."""
    wheel(tmp_path, "native", NATIVE, requires=("Missing_Thing>=2",))
    with pytest.raises(BundleError, match="has no wheel of missing-thing, and mk8s needs it"):
        everything(tmp_path, "native")


@pytest.mark.parametrize(
    ("wheels", "words"),
    [
        ({}, "there are no wheels in"),
        ({"pure": PURE}, "cannot be told: none of them has native modules"),
        (
            {"a": "cp311-cp311-manylinux1_x86_64", "b": "cp312-cp312-manylinux1_x86_64"},
            "for different Pythons",
        ),
        ({"a": "cp312-cp312-manylinux1_x86_64", "b": "cp312-cp312-linux_riscv64"}, "for different machines"),
        ({"a": "cp312-cp312-win_amd64"}, "is not for one kind of Linux"),
        ({"a": "cp312-cp312-manylinux1_x86_64", "b": "none"}, "is not named as a wheel is"),
    ],
)
def test_a_folder_that_cannot_be_meant_is_refused(tmp_path: Path, wheels: dict[str, str], words: str) -> None:
    """Empty, of unknown kind, mixed, for another system."""
    for name, tags in wheels.items():
        wheel(tmp_path, name, tags)
    with pytest.raises(BundleError, match=words):
        Wheels(tmp_path)


def test_two_wheels_of_one_library_are_refused(tmp_path: Path) -> None:
    """Which one is meant is not guessed."""
    wheel(tmp_path, "native", NATIVE)
    wheel(tmp_path, "native", "cp312-cp312-manylinux_2_17_aarch64")
    with pytest.raises(BundleError, match="two wheels of native"):
        Wheels(tmp_path)
