"""The shared scripts in real shells: what they install, and what they leave alone."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
from pathlib import Path, PurePosixPath

import pytest

from mk8s.distros.common import commands
from tests.mk8s.shells import SHELLS, Sh, shell_among

# A package is a file that holds its name and version; what is installed are such lines in `db`.
RPM = """\
#!/bin/sh
here=${0%/*} db=${0%/*}/db
echo "rpm $*" >>"$here/log"
version_of() { while read -r name version; do [ "$name" != "$1" ] || echo "$version"; done <"$db"; }
case $1 in
  -qp) read -r name version <"$4" && printf '%s-%s' "$name" "$version";;
  -q) [ "$2" = rpm ] || { while read -r name version; do
      [ "$name-$version" != "$2" ] || exit 0; done <"$db"; exit 1; };;
  -U) shift
    test=; case $1 in --test) test=yes; shift 2;; esac
    for file; do
      read -r name version <"$file"
      there=$(version_of "$name")
      [ -z "$there" ] || [ "$there" -lt "$version" ] || { echo "package $name is already installed"; exit 1; }
      [ -n "$test" ] || echo "$name $version" >>"$db"
    done;;
esac
"""
REAL_DPKG = """\
#!/bin/sh
exec /usr/bin/dpkg --root={root} --force-not-root --force-bad-path --log=/dev/null "$@"
"""
REAL_QUERY = """\
#!/bin/sh
[ "$*" != "-W dpkg" ] || exit 0
exec /usr/bin/dpkg-query --admindir={root}/var/lib/dpkg "$@"
"""
NO = "#!/bin/sh\nexit 127\n"
CONTROL = """\
Package: {name}
Version: {version}
Architecture: all
Maintainer: nobody <nobody@example.com>
Description: empty
"""


def put(folder: Path, **programs: str) -> None:
    for name, text in programs.items():
        path = folder / name.replace("_", "-")
        path.write_text(text)
        path.chmod(0o755)


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    return folder


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tools: Path) -> Sh:
    return shell_among(tools, request.param)


def pairs(*files: Path) -> list[tuple[PurePosixPath, str]]:
    return [(PurePosixPath(file), hashlib.sha256(file.read_bytes()).hexdigest()) for file in files]


def package(folder: Path, name: str, version: int) -> Path:
    path = folder / f"{name}-{version}.noarch.rpm"
    path.write_text(f"{name} {version}\n")
    return path


def deb(folder: Path, name: str, version: str, needs: str = "") -> Path:
    tree = folder / f"{name}-{version}"
    (tree / "DEBIAN").mkdir(parents=True)
    control = CONTROL.format(name=name, version=version) + (f"Depends: {needs}\n" if needs else "")
    (tree / "DEBIAN" / "control").write_text(control)
    path = folder / f"{name}_{version}_all.deb"
    subprocess.run(["dpkg-deb", "--build", tree, path], check=True, capture_output=True)
    return path


@pytest.fixture
def rpm(tools: Path) -> Path:
    """A host whose packages are RPM's."""
    put(tools, rpm=RPM, dpkg_query=NO)
    (tools / "db").touch()
    return tools


@pytest.fixture
def dpkg(tools: Path, tmp_path: Path) -> Path:
    """The real dpkg on a root of its own."""
    if not shutil.which("dpkg-deb"):
        pytest.skip("there is no dpkg on this machine")
    root = tmp_path / "root"
    (root / "var/lib/dpkg/updates").mkdir(parents=True)
    (root / "var/lib/dpkg/info").mkdir()
    (root / "var/lib/dpkg/status").touch()
    put(tools, rpm=NO, dpkg=REAL_DPKG.format(root=root), dpkg_query=REAL_QUERY.format(root=root))
    return tools


def test_packages_go_in_together_and_are_recognised(sh: Sh, rpm: Path, tmp_path: Path) -> None:
    """One may need the other, so there is one transaction; a second time there is nothing to do."""
    files = [package(tmp_path, "rke2-selinux", 1), package(tmp_path, "container-selinux", 2)]
    check = commands.has_packages("rpm", [PurePosixPath(file) for file in files])
    install = commands.install_packages("rpm", pairs(*files))

    assert [sh(command).status for command in (check, install, check, install)] == [1, 0, 0, 0]
    transactions = [line for line in (rpm / "log").read_text().splitlines() if line.startswith("rpm -U /")]
    assert transactions == [f"rpm -U {files[0]} {files[1]}"]


def test_a_newer_package_of_the_host_stays(sh: Sh, rpm: Path, tmp_path: Path) -> None:
    """What the host's own updates have brought is not taken back; the others are installed."""
    (rpm / "db").write_text("container-selinux 7\n")
    files = [package(tmp_path, "rke2-selinux", 1), package(tmp_path, "container-selinux", 2)]

    assert sh(commands.install_packages("rpm", pairs(*files))).status == 0
    assert (rpm / "db").read_text() == "container-selinux 7\nrke2-selinux 1\n"
    assert sh(commands.has_packages("rpm", [PurePosixPath(file) for file in files])).status == 0


def test_one_damaged_file_keeps_all_from_being_installed(sh: Sh, rpm: Path, tmp_path: Path) -> None:
    files = pairs(package(tmp_path, "good", 1), package(tmp_path, "bad", 1))
    outcome = sh(commands.install_packages("rpm", [files[0], (files[1][0], "0" * 64)]))

    assert (outcome.status, "is not what was sent" in outcome.complaint) == (65, True)
    assert (rpm / "db").read_text() == ""


def test_a_host_of_the_other_kind_is_left_alone(sh: Sh, rpm: Path, tmp_path: Path) -> None:
    """Its check says that there is nothing to do; the command itself refuses."""
    file = package(tmp_path, "haproxy", 1)
    assert sh(commands.ask_manager()).stdout == b"rpm\n"
    assert sh(commands.has_packages("dpkg", [PurePosixPath(file)])).status == 0
    assert sh(commands.install_packages("dpkg", pairs(file))).status == commands.UNFIT


def test_a_host_without_either_says_so(sh: Sh, tools: Path) -> None:
    put(tools, rpm=NO, dpkg_query=NO)
    assert sh(commands.ask_manager()).stdout == b"none\n"


def test_the_real_dpkg_installs_upgrades_and_never_downgrades(sh: Sh, dpkg: Path, tmp_path: Path) -> None:
    old, new = deb(tmp_path, "tiny", "1.0"), deb(tmp_path, "tiny", "1:0.9")
    other = deb(tmp_path, "other", "2")

    def has(*files: Path) -> int:
        return sh(commands.has_packages("dpkg", [PurePosixPath(file) for file in files])).status

    assert (has(old, other), sh(commands.install_packages("dpkg", pairs(old, other))).status) == (1, 0)
    assert (has(old, other), has(new)) == (0, 1)
    assert sh(commands.install_packages("dpkg", pairs(new))).status == 0
    assert sh(commands.install_packages("dpkg", pairs(old, other))).status == 0
    assert (has(old), has(new)) == (0, 0)


def test_what_the_real_dpkg_lacks_is_the_last_word_and_can_be_added_later(
    sh: Sh, dpkg: Path, tmp_path: Path
) -> None:
    """dpkg's own last line only names the package. A second try with all of them mends it."""
    one, other = deb(tmp_path, "tiny", "1", needs="other (>= 2)"), deb(tmp_path, "other", "2")
    outcome = sh(commands.install_packages("dpkg", pairs(one)))

    assert outcome.status == 1
    assert "dpkg did not install them:  tiny depends on other (>= 2)" in outcome.complaint
    assert sh(commands.has_packages("dpkg", [PurePosixPath(one)])).status == 1
    assert sh(commands.install_packages("dpkg", pairs(one, other))).status == 0
    assert sh(commands.has_packages("dpkg", [PurePosixPath(one), PurePosixPath(other)])).status == 0
