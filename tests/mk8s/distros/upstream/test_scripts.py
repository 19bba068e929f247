"""The shared scripts in a real shell: what they install, choose, start, import, route and refuse."""

from __future__ import annotations

import hashlib
import io
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

import pytest

from mk8s.distros.upstream import commands
from mk8s.distros.upstream.routes import ROUTES_SCRIPT
from tests.mk8s.shells import SHELLS, Sh, shell_among
from transports.base import Command, Outcome

PODS = "10.244.0.0/16"

# What these were told goes to `log`; what they answer is in files beside them.
SYSTEMCTL = """\
#!/bin/sh
echo "systemctl $*" >>"${0%/*}/log"
case $1 in restart|is-active) [ ! -e "${0%/*}/broken" ];; esac
"""
JOURNALCTL = '#!/bin/sh\necho "invalid plugin config"\n'
CONTAINERD = '#!/bin/sh\ncat "${0%/*}/version"\n'
CTR = """\
#!/bin/sh
case $* in
  *" version") [ ! -e "${0%/*}/broken" ];;
  *"images import "*) printf 'b/coredns:1\\na/pause:1\\nsha256:00\\n' >"${0%/*}/held";;
  *"images ls -q") cat "${0%/*}/held";;
esac
"""
# The kernel's routes are lines of a file, and its one rule is another.
IP = """\
#!/bin/sh
routes=${0%/*}/routes
echo "ip $*" >>"${0%/*}/log"
[ "$1" != -4 ] || shift
case $2 in
  show) cat "$routes";;
  del) grep -v "^$3 via $5 " "$routes" >"$routes.new";;
  replace) grep -v "^$3 " "$routes" >"$routes.new"; echo "$3 via $5 dev eth0 " >>"$routes.new";;
esac
[ ! -e "$routes.new" ] || mv "$routes.new" "$routes"
"""
IPTABLES = """\
#!/bin/sh
shift 3
verb=$1
shift
case $verb in
  -C) grep -qx -- "$*" "${0%/*}/rules";;
  -A) echo "$*" >>"${0%/*}/rules";;
esac
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of stand-ins for the host's programs."""
    folder = tmp_path / "tools"
    folder.mkdir()
    programs = {
        "systemctl": SYSTEMCTL, "journalctl": JOURNALCTL, "containerd": CONTAINERD, "ctr": CTR, "ip": IP,
        "iptables": IPTABLES,
    }  # fmt: skip
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    for name in ("routes", "rules", "held", "log"):
        (folder / name).touch()
    return folder


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tools: Path) -> Sh:
    return shell_among(tools, request.param)


def at(path: Path) -> PurePosixPath:
    return PurePosixPath(path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def archive(path: Path, *names: str) -> Path:
    with tarfile.open(path, "w:gz") as tar:
        for name in names:
            info = tarfile.TarInfo(name.rstrip("/"))
            info.type = tarfile.DIRTYPE if name.endswith("/") else tarfile.REGTYPE
            info.mode, info.uid = 0o755, 4711
            info.size = 0 if name.endswith("/") else len(name)
            tar.addfile(info, io.BytesIO(name.encode()) if info.isfile() else None)
    return path


def test_a_program_is_installed_whole_linked_and_recognised(sh: Sh, tmp_path: Path) -> None:
    """Also over one that is there, and again when something else replaced it."""
    staged, target, link = (
        tmp_path / "kubelet-linux-amd64",
        tmp_path / "bin/kubelet",
        tmp_path / "links/kubelet",
    )
    staged.write_text("#!/bin/sh\n")
    install = commands.install_program(at(staged), digest(staged), at(target), at(link))
    check = commands.has_program(digest(staged), at(target), at(link))

    assert [sh(command).status for command in (check, install, check, install, check)] == [1, 0, 0, 0, 0]
    assert (target.stat().st_mode & 0o777, link.readlink()) == (0o755, target)
    assert [path.name for path in target.parent.iterdir()] == ["kubelet"]
    target.write_text("another")
    assert sh(check).status == 1


def test_a_running_programs_file_is_replaced_not_written_to(sh: Sh, tmp_path: Path) -> None:
    """Otherwise the kernel refuses: text file busy."""
    staged, target = tmp_path / "staged", tmp_path / "bin/program"
    shutil.copy("/usr/bin/sleep", staged)
    install = commands.install_program(at(staged), digest(staged), at(target), at(tmp_path / "link"))
    assert sh(install).status == 0
    with subprocess.Popen([target, "60"]) as running:
        try:
            assert sh(install) == Outcome(status=0)
        finally:
            running.kill()


def test_a_damaged_program_is_not_installed(sh: Sh, tmp_path: Path) -> None:
    staged, target = tmp_path / "staged", tmp_path / "bin/kubelet"
    staged.write_text("damaged")
    outcome = sh(commands.install_program(at(staged), "0" * 64, at(target), at(tmp_path / "link")))

    assert (outcome.status, "is not what was sent" in outcome.complaint) == (65, True)
    assert not target.exists()


def test_an_archive_is_unpacked_once_and_recognised_until_a_file_changes(sh: Sh, tmp_path: Path) -> None:
    packed = archive(tmp_path / "a.tgz", "bin/", "bin/ctr", "./bin/odd name")
    into, record = tmp_path / "usr", tmp_path / "records/a"
    unpack = commands.unpack(at(packed), digest(packed), at(into), at(record))
    check = commands.is_unpacked("a", at(into), at(record))

    assert [sh(command).status for command in (check, unpack, check, unpack, check)] == [1, 0, 0, 0, 0]
    assert len(record.read_text().splitlines()) == 2
    (into / "bin/ctr").write_text("torn")
    assert sh(check).status == 1


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil"])
def test_an_archive_with_a_path_out_of_its_folder_leaves_nothing(sh: Sh, tmp_path: Path, name: str) -> None:
    packed = archive(tmp_path / "a.tgz", "fine", name)
    into, record = tmp_path / "usr", tmp_path / "records/a"

    assert sh(commands.unpack(at(packed), digest(packed), at(into), at(record))).status == 3
    assert not into.exists()
    assert not record.exists()


def test_a_damaged_archive_is_not_unpacked(sh: Sh, tmp_path: Path) -> None:
    packed = archive(tmp_path / "a.tgz", "fine")
    into = tmp_path / "usr"

    assert sh(commands.unpack(at(packed), "0" * 64, at(into), at(tmp_path / "record"))).status == 65
    assert not into.exists()


@pytest.mark.parametrize(
    ("version", "chosen"),
    [
        ("containerd github.com/containerd/containerd v1.7.2 0cae528", "one"),
        ("containerd github.com/containerd/containerd 1.6.20~ds1 1.6.20~ds1-1+deb12u3", "one"),
        ("containerd github.com/containerd/containerd/v2 v2.0.1 88aa2f5", "two"),
        ("containerd github.com/containerd/containerd/v2 v2.1.0-beta.0 x", "two"),
    ],
)
def test_the_config_fits_the_containerd_that_is_installed(
    sh: Sh, tools: Path, tmp_path: Path, version: str, chosen: str
) -> None:
    (tools / "version").write_text(f"{version}\n")
    one, two, target = tmp_path / "1", tmp_path / "2", tmp_path / "etc/config.toml"
    one.write_text("one")
    two.write_text("two")
    choose = commands.choose_config(
        at(tools / "containerd"), at(one), at(two), at(target), at(tmp_path / "b")
    )
    check = commands.is_config_chosen(at(tools / "containerd"), at(one), at(two), at(target))

    assert [sh(command).status for command in (check, choose, check)] == [2, 0, 0]
    assert target.read_text() == chosen


def test_a_containerd_of_no_version_gets_no_config(sh: Sh, tools: Path, tmp_path: Path) -> None:
    (tools / "version").write_text("segmentation fault\n")
    target = tmp_path / "etc/config.toml"
    paths = (at(tools / "containerd"), at(tmp_path), at(tmp_path), at(target), at(tmp_path / "b"))
    outcome = sh(commands.choose_config(*paths))

    assert (outcome.status, "says of itself no version" in outcome.complaint) == (65, True)
    assert not target.exists()


def test_the_administrators_config_is_kept_and_ours_is_not(sh: Sh, tools: Path, tmp_path: Path) -> None:
    """Kept once, so that a second run does not keep ours in its place."""
    (tools / "version").write_text("containerd x v1.7.2\n")
    ours, target, before = tmp_path / "1", tmp_path / "config.toml", tmp_path / "before"
    ours.write_text("# written by mk8s\n")
    target.write_text("theirs")
    choose = commands.choose_config(at(tools / "containerd"), at(ours), at(ours), at(target), at(before))

    assert [sh(choose).status, sh(choose).status] == [0, 0]
    assert (before / "containerd.toml").read_text() == "theirs"


def test_containerd_is_current_until_one_of_its_files_changes(sh: Sh, tmp_path: Path) -> None:
    note, config = tmp_path / "started/containerd", tmp_path / "config.toml"
    config.write_text("1")
    restart = commands.restart_containerd(at(note), [at(config)])
    check = commands.is_containerd_current(at(note), [at(config)])

    assert [sh(command).status for command in (check, restart, check)] == [1, 0, 0]
    config.write_text("2")
    assert sh(check).status == 1


def test_a_failed_start_says_the_journals_words_and_is_not_noted(sh: Sh, tools: Path, tmp_path: Path) -> None:
    (tools / "broken").touch()
    note = tmp_path / "started/containerd"
    outcome = sh(commands.restart_containerd(at(note), [at(tools / "ctr")]))

    assert (outcome.status, outcome.complaint) == (1, "invalid plugin config")
    assert not note.exists()


def test_images_are_imported_once_and_again_when_one_is_gone(sh: Sh, tools: Path, tmp_path: Path) -> None:
    packed, record = tmp_path / "images.tar", tmp_path / "imported/x"
    packed.write_text("images")
    load = commands.import_images(at(tools / "ctr"), at(packed), digest(packed), at(record))
    check = commands.has_images(at(tools / "ctr"), at(record))

    assert [sh(command).status for command in (check, load, check)] == [1, 0, 0]
    (tools / "held").write_text("a/pause:1\nb/coredns:1\nof/a-user:1\n")
    assert sh(check).status == 0
    (tools / "held").write_text("a/pause:1\n")
    assert sh(check).status == 1


def test_damaged_images_are_not_imported(sh: Sh, tools: Path, tmp_path: Path) -> None:
    packed = tmp_path / "images.tar"
    packed.write_text("damaged")

    assert (
        sh(commands.import_images(at(tools / "ctr"), at(packed), "0" * 64, at(tmp_path / "r"))).status == 65
    )
    assert (tools / "held").read_text() == ""


def test_a_silent_containerd_is_described(sh: Sh, tools: Path) -> None:
    assert sh(commands.ask_containerd(at(tools / "ctr"))) == Outcome(status=0)
    (tools / "broken").touch()
    outcome = sh(commands.ask_containerd(at(tools / "ctr")))

    assert (outcome.status, outcome.complaint) == (1, "invalid plugin config")


class Routes:
    """The routes' script as a unit runs it, over a file of wanted routes."""

    def __init__(self, sh: Sh, tools: Path, tmp_path: Path) -> None:
        self.sh, self.tools = sh, tools
        self.script, self.file = tmp_path / "routes.sh", tmp_path / "wanted"
        self.script.write_text(ROUTES_SCRIPT)

    def run(self, verb: str) -> Outcome:
        words = (str(self.script), verb, str(self.file), PODS)
        return self.sh(Command(operation="t", description="t", script='sh "$@"', args=words))

    def want(self, *lines: str) -> None:
        self.file.write_text("".join(f"{line}\n" for line in lines))

    def there(self) -> list[str]:
        return [line.rpartition(" dev")[0] for line in (self.tools / "routes").read_text().splitlines()]


@pytest.fixture
def routes(sh: Sh, tools: Path, tmp_path: Path) -> Routes:
    return Routes(sh, tools, tmp_path)


ONE, TWO = "10.244.1.0/24 via 10.0.0.12", "10.244.2.0/24 via 10.0.0.13"


def test_routes_follow_the_file(routes: Routes) -> None:
    """What is missing is added, what is gone is removed, and a node that moved is followed."""
    for wanted in ((), (ONE,), (ONE, TWO), (TWO,), ("10.244.2.0/24 via 10.0.0.99",), ()):
        routes.want(*wanted)
        assert routes.run("set") == Outcome(status=0)
        assert sorted(routes.there()) == sorted(wanted)
        assert routes.run("check") == Outcome(status=0)


def test_what_is_there_is_not_touched(routes: Routes) -> None:
    """A route that is set again drops packets for a moment."""
    routes.want(ONE)
    routes.run("set")
    (routes.tools / "log").write_text("")
    routes.run("set")

    assert set((routes.tools / "log").read_text().splitlines()) == {"ip -4 route show proto 109"}


def test_the_masquerading_rule_is_set_once(routes: Routes) -> None:
    routes.want()
    routes.run("set")
    routes.run("set")

    assert (routes.tools / "rules").read_text().splitlines() == [
        f"POSTROUTING -s {PODS} ! -d {PODS} -m comment --comment mk8s-pods -j MASQUERADE"
    ]


def test_each_difference_is_named(routes: Routes) -> None:
    routes.want(ONE)
    assert routes.run("check").text == f"no route {ONE}"
    routes.run("set")
    routes.want()
    assert routes.run("check").text == f"a route of a node that is gone: {ONE}"
    routes.want(ONE)
    (routes.tools / "rules").write_text("")
    outcome = routes.run("check")
    assert (outcome.status, outcome.text) == (1, "pods' traffic to the outside is not masqueraded")


def test_a_host_without_iptables_says_so(routes: Routes) -> None:
    if shutil.which("iptables", path="/usr/sbin:/sbin:/usr/bin:/bin"):
        pytest.skip("this machine has iptables")
    (routes.tools / "iptables").unlink()
    routes.want()
    outcome = routes.run("set")

    assert (outcome.status, outcome.complaint) == (69, "mk8s: there is no iptables on this host")


def test_the_routes_are_asked_for_with_their_unit(sh: Sh, routes: Routes) -> None:
    """A route that only a person has set would be gone after a reboot."""
    routes.want(ONE)
    routes.run("set")
    ask = commands.ask_routes(at(routes.script), at(routes.file), PODS)

    assert sh(ask) == Outcome(status=0)
    (routes.tools / "broken").touch()
    assert (sh(ask).status, sh(ask).text) == (1, "mk8s-routes.service has not run")


def test_a_failed_routes_unit_says_the_journals_words(sh: Sh, tools: Path) -> None:
    assert sh(commands.restart_routes()).status == 0
    (tools / "broken").touch()
    outcome = sh(commands.restart_routes())

    assert (outcome.status, outcome.complaint) == (1, "invalid plugin config")
