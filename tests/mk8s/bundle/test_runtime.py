"""mk8s as it travels: laid out in a folder and started there, with nothing of this installation."""

from __future__ import annotations

import os
import py_compile
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Mapping
from importlib import metadata
from pathlib import Path, PurePosixPath

import pytest

from mk8s.bundle.index import BundleError, in_order
from mk8s.bundle.installed import is_shipped, read_installed
from mk8s.bundle.itself import mk8s_itself
from mk8s.bundle.needed import plain_name, read_requirement
from mk8s.bundle.runtime import LAUNCHER, launcher, runtime_members, shipped, target, target_words
from mk8s.bundle.target import Target
from mk8s.version import VERSION
from tests.mk8s.bundle.unpacked import lay_out

ROOT = Path(__file__).parents[3]
PYTHON = str(Path(sys.executable).resolve())
MANIFEST = ROOT / "specs" / "clusters" / "six-nodes.yaml"
OTHER = Target((3, 99), "riscv64", (9, 9), ".cpython-399-riscv64-linux-gnu.so")


@pytest.fixture(scope="module")
def tree(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The runtime, in a folder whose name has a space, and that nobody may write to."""
    folder = lay_out(runtime_members(), tmp_path_factory.mktemp("a bundle"))
    for path in [folder, *folder.rglob("*")]:
        path.chmod(path.stat().st_mode & ~0o222)
    return folder


def start(
    program: Path, *words: str, env: Mapping[str, str] | None = None, cwd: Path = Path("/")
) -> subprocess.CompletedProcess[str]:
    """Start it with an empty environment, but for the Python to use."""
    return subprocess.run(
        [str(program), *words],
        env={"MK8S_PYTHON": PYTHON} if env is None else env,
        cwd=cwd,
        capture_output=True,
        text=True,
        check=False,
    )


def test_it_starts_without_an_environment(tree: Path) -> None:
    """No PATH, no HOME, no installation, from a read-only folder."""
    ended = start(tree / LAUNCHER, "--version")
    assert (ended.stdout, ended.stderr, ended.returncode) == (f"mk8s {VERSION}\n", "", 0)


def test_it_checks_and_rehearses_a_cluster(tree: Path, tmp_path: Path) -> None:
    """Native modules, data files and the drivers are all there."""
    manifest = tmp_path / "cluster.yaml"
    shutil.copy(MANIFEST, manifest)
    checked = start(tree / LAUNCHER, "validate", "--manifest-only", str(manifest))
    assert (checked.returncode, checked.stdout) == (0, ""), checked.stderr
    rehearsed = start(tree / LAUNCHER, "simulate", str(manifest), "--seed", "1")
    assert rehearsed.returncode == 0, rehearsed.stderr


def test_every_library_can_be_imported_from_it_alone(tree: Path) -> None:
    """Nothing is found elsewhere: with -I and -S there is no elsewhere but the standard library."""
    code = (
        f"import sys; sys.path.insert(0, {str(tree / 'mk8s/lib')!r})\n"
        "import anyio, cryptography.x509, cyclonedx.model.bom, httpx, msgspec, rich.live, ssh2.session\n"
        "import transitions, trio, yaml\n"
        "files = [getattr(module, '__file__', None) or '' for module in sys.modules.values()]\n"
        "print(*(name for name in files if 'site-packages' in name))"
    )
    ended = subprocess.run(
        [PYTHON, "-I", "-S", "-B", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert (ended.returncode, ended.stdout.strip()) == (0, ""), ended.stderr


def test_the_libraries_of_the_machine_are_not_mixed_in(tree: Path, tmp_path: Path) -> None:
    """Neither PYTHONPATH nor the folder that one stands in can put another mk8s before it."""
    for folder in (tmp_path / "path", tmp_path / "cwd"):
        (folder / "mk8s").mkdir(parents=True)
        (folder / "mk8s" / "__init__.py").write_text("raise SystemExit('not this one')")
        (folder / "platform.py").write_text("raise SystemExit('nor this one')")
    env = {"MK8S_PYTHON": PYTHON, "PYTHONPATH": str(tmp_path / "path"), "PYTHONHOME": "/nowhere"}
    assert start(tree / LAUNCHER, "--version", env=env, cwd=tmp_path / "cwd").stdout == f"mk8s {VERSION}\n"


def test_it_starts_over_links(tree: Path, tmp_path: Path) -> None:
    """A link in a folder of the PATH, to a link, to the program."""
    (tmp_path / "one").symlink_to(tree / LAUNCHER)
    (tmp_path / "mk8s").symlink_to("one")
    assert start(tmp_path / "mk8s", "--version").returncode == 0


def test_it_gives_mk8ss_own_exit_status(tree: Path) -> None:
    """The shell script is not in between."""
    ended = start(tree / LAUNCHER, "valdiate")
    assert ended.returncode == 2
    assert "did you mean `mk8s validate`?" in ended.stderr


def fake_python(folder: Path, name: str, says: str) -> Path:
    """A program that is called like a Python."""
    folder.mkdir(exist_ok=True)
    path = folder / name
    path.write_text(f"#!/bin/sh\n{says}\n")
    path.chmod(0o755)
    return path


def test_the_first_python_that_fits_is_taken(tree: Path, tmp_path: Path) -> None:
    """Others before it on the PATH are passed over: one that is broken, one that is too old."""
    minor = f"python3.{sys.version_info.minor}"
    fake_python(tmp_path / "broken", minor, "exit 127")
    fake_python(tmp_path / "old", "python3", 'echo "CPython 3.9 on x86_64 with glibc 2.31"')
    (tmp_path / "good").mkdir()
    fake_python(tmp_path / "good", "python", f'exec "{PYTHON}" "$@"')
    path = ":".join([*(str(tmp_path / name) for name in ("broken", "old", "good")), "/usr/bin", "/bin"])
    ended = start(tree / LAUNCHER, "--version", env={"PATH": path})
    assert ended.stdout == f"mk8s {VERSION}\n", ended.stderr


def test_a_python_that_does_not_fit_is_told_with_what_would(tree: Path, tmp_path: Path) -> None:
    """What is needed, what was found, what to do; exit status 2."""
    old = fake_python(tmp_path, "python3", 'test "$1" = -V && echo "Python 2.7.18"')
    ended = start(tree / LAUNCHER, "--version", env={"MK8S_PYTHON": str(old)})
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"error: this mk8s needs {target_words()}, and found none\n")
    assert f"  {old}: Python 2.7.18\n" in ended.stderr
    assert "MK8S_PYTHON=/path/to/python3" in ended.stderr


def test_a_python_that_is_named_is_never_replaced(tree: Path) -> None:
    """A typing mistake must not quietly start another one."""
    ended = start(tree / LAUNCHER, "--version", env={"MK8S_PYTHON": "/no/python", "PATH": os.environ["PATH"]})
    assert ended.returncode == 2
    assert "MK8S_PYTHON=/no/python: there is no such program" in ended.stderr


def test_a_real_python_of_another_kind_is_refused(tmp_path: Path) -> None:
    """This very Python does not fit modules for another machine; it is described, not started."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__main__.py").write_text("print('started')")
    (tmp_path / "mk8s").write_bytes(launcher(OTHER))
    (tmp_path / "mk8s").chmod(0o755)
    ended = start(tmp_path / "mk8s")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert f"{PYTHON}: CPython 3.{sys.version_info.minor} on " in ended.stderr


def test_a_libc_that_is_too_old_is_refused(tmp_path: Path) -> None:
    """The right Python alone is not enough for native modules."""
    (tmp_path / "lib").mkdir()
    (tmp_path / "lib" / "__main__.py").write_text("print('started')")
    here = target()
    (tmp_path / "mk8s").write_bytes(launcher(Target(here.python, here.machine, (99, 0), here.suffix)))
    (tmp_path / "mk8s").chmod(0o755)
    ended = start(tmp_path / "mk8s")
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "with glibc 99.0 or newer, and found none" in ended.stderr


def test_half_a_bundle_says_so(tree: Path, tmp_path: Path) -> None:
    """The script alone, copied to somewhere."""
    shutil.copy(tree / LAUNCHER, tmp_path / "mk8s")
    ended = start(tmp_path / "mk8s", "--version")
    assert ended.returncode == 2
    assert "unpack the whole bundle again" in ended.stderr


@pytest.mark.e2e
@pytest.mark.skipif(os.geteuid() != 0, reason="a namespace without a network needs root")
def test_it_needs_no_network(tree: Path, tmp_path: Path) -> None:
    """In a namespace where not even the loopback is up."""
    manifest = tmp_path / "cluster.yaml"
    shutil.copy(MANIFEST, manifest)
    ended = subprocess.run(
        ["unshare", "-n", str(tree / LAUNCHER), "simulate", str(manifest)],
        env={"MK8S_PYTHON": PYTHON},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 0, ended.stderr


@pytest.mark.e2e
@pytest.mark.skipif(os.geteuid() != 0, reason="mounting needs root")
def test_a_folder_where_nothing_may_be_executed_is_told(tree: Path, tmp_path: Path) -> None:
    """A stick that is mounted noexec: not a failure of some library to import."""
    program = f'mount -t tmpfs -o noexec none "$1" && cp -r "$2" "$1" && exec sh "$1/{LAUNCHER}" --version'
    ended = subprocess.run(
        ["unshare", "-m", "sh", "-c", program, "sh", str(tmp_path), str(tree / "mk8s")],
        env={"MK8S_PYTHON": PYTHON, "PATH": os.environ["PATH"]},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stdout) == (2, "")
    assert "is mounted noexec" in ended.stderr
    assert "hint: unpack the bundle to another disk" in ended.stderr


def test_starting_it_writes_nothing_into_it(tmp_path: Path) -> None:
    """Compiled Python in a folder that was verified would not be what was verified."""
    folder = lay_out(runtime_members(), tmp_path)
    before = sorted(str(path) for path in folder.rglob("*"))
    assert start(folder / LAUNCHER, "validate", "--manifest-only", str(MANIFEST)).returncode == 0
    assert sorted(str(path) for path in folder.rglob("*")) == before


def test_compiled_python_that_somebody_added_is_not_taken(tmp_path: Path) -> None:
    """It is in no index, and Python would believe it before the source that was verified."""
    folder = lay_out(runtime_members(), tmp_path)
    source = folder / "mk8s/lib/mk8s/version.py"
    evil = tmp_path / "evil.py"
    evil.write_text('VERSION = "evil"\n'.ljust(source.stat().st_size, "#"))
    os.utime(evil, (0, 0))
    os.utime(source, (0, 0))
    name = f"__pycache__/version.cpython-3{sys.version_info.minor}.pyc"
    py_compile.compile(str(evil), str(source.parent / name))
    plain = subprocess.run(
        [PYTHON, "-I", "-S", str(folder / "mk8s/lib"), "--version"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert plain.stdout == "mk8s evil\n"  # the danger is real
    assert start(folder / LAUNCHER, "--version").stdout == f"mk8s {VERSION}\n"


def test_the_same_installation_gives_the_same_members() -> None:
    """Names, order, modes and hashes; and every path may be in a bundle."""
    first, second = runtime_members(), runtime_members()
    assert [(m.path, m.source.sha256, m.executable) for m in first] == [
        (m.path, m.source.sha256, m.executable) for m in second
    ]
    assert list(first) == in_order(first)


def test_a_bundle_can_be_made_from_a_bundle(tree: Path) -> None:
    """The mk8s that travelled is a whole installation: it gives the very members it came from."""
    code = (
        "from mk8s.bundle.runtime import runtime_members\n"
        "print(*(f'{m.path} {m.source.sha256} {m.executable}' for m in runtime_members()), sep='\\n')"
    )
    inside = f"import sys; sys.path.insert(0, {str(tree / 'mk8s/lib')!r})\n{code}"
    ended = subprocess.run(
        [PYTHON, "-I", "-S", "-B", "-c", inside], capture_output=True, text=True, check=False
    )
    expected = [f"{m.path} {m.source.sha256} {m.executable}" for m in runtime_members()]
    assert ended.stdout.splitlines() == expected, ended.stderr


def test_what_travels_is_what_pyproject_asks_for() -> None:
    """Each dependency, and mk8s first; nothing of tests and benchmarks."""
    with (ROOT / "pyproject.toml").open("rb") as stream:
        project = tomllib.load(stream)["project"]
    names = [plain_name(one.name) for one in shipped()]
    asked = {read_requirement(text).name for text in project["dependencies"]}
    extras = {
        read_requirement(text).name for texts in project["optional-dependencies"].values() for text in texts
    }
    assert names[0] == "mk8s"
    assert asked <= set(names)
    assert not (extras - asked) & set(names)


def test_what_travels_is_what_is_locked() -> None:
    """The lock file of a plain installation names the same libraries, followed to the end."""
    lines = (ROOT / "requirements" / "run.txt").read_text().splitlines()
    locked = {
        plain_name(line.partition("==")[0]) for line in lines if "==" in line and not line.startswith(" ")
    }
    assert {plain_name(one.name) for one in shipped()} - {"mk8s"} == locked


@pytest.mark.parametrize(
    "path",
    [
        "trio/_tests/test_it.py",
        "yaml/__pycache__/x.cpython-311.pyc",
        "../../../bin/mk8s",
        "x-1.dist-info/RECORD",
        "x-1.dist-info/direct_url.json",
        "easy.pth",
        "/etc/passwd",
    ],
)
def test_notes_of_the_installer_and_tests_stay_at_home(path: str) -> None:
    """They differ from machine to machine, or are of no use there."""
    assert not is_shipped(PurePosixPath(path))


def test_no_path_of_this_machine_is_in_the_metadata_that_travels() -> None:
    """Two people who install the same thing elsewhere make the same bundle."""
    named = [path for one in shipped() for path in one.files if path.rpartition("/")[2] == "direct_url.json"]
    assert named == []


def installation(folder: Path, record: str) -> metadata.Distribution:
    info = folder / "thing-1.0.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: thing\nVersion: 1.0\n")
    if record:
        (info / "RECORD").write_text(record)
    return metadata.Distribution.at(info)


@pytest.mark.parametrize(
    ("record", "words"),
    [
        ("", "has no RECORD"),
        ("_editable.pth,,\nthing-1.0.dist-info/METADATA,,\n", "installed as a link to its source"),
        ("thing.py,,\nthing-1.0.dist-info/METADATA,,\n", "cannot be read: No such file"),
    ],
)
def test_half_a_library_is_refused(tmp_path: Path, record: str, words: str) -> None:
    """What belongs to it cannot be told, or is not there: found here, not in the bunker."""
    with pytest.raises(BundleError, match=words):
        read_installed(installation(tmp_path, record))


def test_mk8s_elsewhere_than_in_a_wheel_or_a_tree_is_refused(tmp_path: Path) -> None:
    """Its data files and its requirements would be guessed."""
    with pytest.raises(BundleError, match="neither an installed mk8s nor in a source tree"):
        mk8s_itself(tmp_path / "mk8s")
