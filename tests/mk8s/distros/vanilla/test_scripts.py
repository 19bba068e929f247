"""The driver's scripts in a real shell, against an etcdctl that keeps its members in a file."""

from __future__ import annotations

import hashlib
import io
import tarfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from mk8s.distros.vanilla import commands
from tests.mk8s.distros.vanilla.clusters import five
from tests.mk8s.shells import SHELLS, Sh, shell_among
from transports.base import Command, File, Outcome

FIRST, SECOND, THIRD = five().servers

# As etcd 3.4 prints: ID, status, name, peer URL, client URL, learner
FULL = "8e9e05c52164694d, started, srv-1, https://10.0.0.11:2380, https://10.0.0.11:2379, false"
LEARNER = "f51584fa6242ec48, {status}, {name}, https://10.0.0.12:2380, {client}, true"
WAITING = LEARNER.format(status="unstarted", name="", client="")
JOINED = LEARNER.format(status="started", name="srv-2", client="https://10.0.0.12:2379")

ETCDCTL = """\
#!/bin/sh
here=${0%/*}
echo "$*" >>"$here/log"
case " $* " in
  *" member list "*) cat "$here/members";;
  *" member add "*) echo 'WAITING' >>"$here/members";;
  *" member promote "*)
    [ ! -e "$here/behind" ] || { rm "$here/behind"; echo "Error: not in sync with leader" >&2; exit 1; }
    sed 's/, true$/, false/' "$here/members" >"$here/new" && mv "$here/new" "$here/members";;
esac
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """A folder with etcdctl in it, its members, and the data folder of the joining server."""
    (tmp_path / "etcdctl").write_text(ETCDCTL.replace("WAITING", WAITING))
    (tmp_path / "etcdctl").chmod(0o755)
    (tmp_path / "sleep").write_text("#!/bin/sh\n")
    (tmp_path / "sleep").chmod(0o755)
    (tmp_path / "members").write_text(f"{FULL}\n")
    (tmp_path / "etcd").mkdir()
    return tmp_path


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, place: Path) -> Sh:
    shell = shell_among(place, request.param)
    ours = {
        "/var/lib/mk8s/bin": str(place),
        "/var/lib/etcd": f"{place}/etcd",
        "/etc/kubernetes/config": str(place),
    }

    def run(command: Command) -> Outcome:
        args = command.args
        for there, here in ours.items():
            args = tuple(arg.replace(there, here) for arg in args)
        return shell(replace(command, args=args))

    return run


def members(place: Path, *lines: str) -> None:
    (place / "members").write_text("".join(f"{line}\n" for line in lines))


def told(place: Path, word: str) -> int:
    """How often etcdctl was told that."""
    return sum(word in line for line in (place / "log").read_text().splitlines())


def begins_with(place: Path) -> str:
    return (place / "etcd-cluster.env").read_text()


def test_a_new_server_becomes_a_learner(sh: Sh, place: Path) -> None:
    """And learns whom to begin with, itself among them by its own name."""
    assert sh(commands.add_member(SECOND, [FIRST])).status == 0

    assert "member add srv-2 --learner --peer-urls=https://10.0.0.12:2380" in (place / "log").read_text()
    assert begins_with(place) == (
        "ETCD_INITIAL_CLUSTER=srv-1=https://10.0.0.11:2380,srv-2=https://10.0.0.12:2380\n"
        "ETCD_INITIAL_CLUSTER_STATE=existing\n"
    )


def test_a_member_that_never_started_is_its_own(sh: Sh, place: Path) -> None:
    """mk8s was killed between the addition and the start: nothing is added twice."""
    members(place, FULL, WAITING)

    assert sh(commands.add_member(SECOND, [FIRST])).status == 0

    assert told(place, "member add") == 0
    assert "srv-2=https://10.0.0.12:2380" in begins_with(place)


def test_a_started_member_without_its_data_is_refused(sh: Sh, place: Path) -> None:
    """Its identity is used up: etcd would lose what it believes to be written."""
    members(place, FULL, JOINED)

    outcome = sh(commands.add_member(SECOND, [FIRST]))

    assert outcome.status == 66
    assert b"its data are not here" in outcome.stderr
    assert not (place / "etcd-cluster.env").exists()


def test_a_started_member_with_its_data_is_left_alone(sh: Sh, place: Path) -> None:
    members(place, FULL, JOINED)
    (place / "etcd/member").mkdir()

    assert sh(commands.add_member(SECOND, [FIRST])).status == 0
    assert told(place, "member add") == 0
    assert sh(commands.is_member(SECOND, [FIRST])).status == 0


@pytest.mark.parametrize("lines", [(FULL,), (FULL, WAITING)])
def test_who_has_not_started_is_no_member_yet(sh: Sh, place: Path, lines: tuple[str, ...]) -> None:
    members(place, *lines)
    (place / "etcd/member").mkdir()
    (place / "etcd-cluster.env").write_text("")

    assert sh(commands.is_member(SECOND, [FIRST])).status == 1


def test_a_learner_is_promoted_as_soon_as_the_leader_takes_it(sh: Sh, place: Path) -> None:
    """Refused while it is behind, and asked again."""
    members(place, FULL, JOINED)
    (place / "behind").touch()

    assert sh(commands.is_voter(SECOND, [FIRST])).status == 1
    assert sh(commands.promote(SECOND, [FIRST])).status == 0

    assert told(place, "member promote f51584fa6242ec48") == 2
    assert sh(commands.is_voter(SECOND, [FIRST])).status == 0


def test_an_etcd_that_does_not_answer_is_a_failure(sh: Sh, place: Path) -> None:
    """Never taken for one without members."""
    (place / "members").unlink()

    for command in (commands.add_member(SECOND, [FIRST]), commands.is_voter(SECOND, [FIRST])):
        assert sh(command).status != 0
    assert told(place, "member add") == 0


def test_a_joining_server_asks_every_other_one() -> None:
    """Whichever answers: none of them has to be there."""
    words = " ".join(commands.add_member(THIRD, [FIRST, SECOND]).args)

    assert "--endpoints=https://10.0.0.11:2379,https://10.0.0.12:2379" in words


def test_etcd_is_installed_from_an_archive_with_a_folder(sh: Sh, place: Path) -> None:
    """Upstream's folder is named after the release; what was installed is recognised, what changed is not."""
    archive = place / "etcd-linux-amd64.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        for name in ("etcd", "etcdctl"):
            member = tarfile.TarInfo(f"etcd-v3.4.13-linux-amd64/{name}")
            member.size = len(name)
            tar.addfile(member, io.BytesIO(name.encode()))
    file = File(archive, archive.stat().st_size, hashlib.sha256(archive.read_bytes()).hexdigest())
    target, record = place / "bin", place / "record"
    made = commands.install_etcd(PurePosixPath(archive), file, PurePosixPath(target))
    install = replace(made, args=(*made.args[:3], str(place / "links"), str(record)))
    check = replace(commands.has_etcd(file, PurePosixPath(target)), args=(str(target), str(record)))

    assert sh(check).status == 1
    assert sh(install).status == 0
    assert sh(check).status == 0
    assert (place / "links/etcdctl").readlink() == target / "etcdctl"
    assert [path.name for path in target.iterdir() if path.name.startswith(".")] == []

    (target / "etcd").write_text("other")
    assert sh(check).status == 1
    assert sh(replace(install, args=(install.args[0], "0" * 64, *install.args[2:]))).status == 65


def test_a_link_in_place_of_etcd_is_refused(sh: Sh, place: Path) -> None:
    """It leads anywhere: the mode of what it leads to stays, and nothing is installed."""
    other = place / "shadow"
    other.touch(mode=0o600)
    archive = place / "etcd-linux-amd64.tar.gz"
    with tarfile.open(archive, "w:gz") as tar:
        member = tarfile.TarInfo("etcd-v3.4.13-linux-amd64/etcd")
        member.type, member.linkname = tarfile.SYMTYPE, str(other)
        tar.addfile(member)
    file = File(archive, archive.stat().st_size, hashlib.sha256(archive.read_bytes()).hexdigest())
    made = commands.install_etcd(PurePosixPath(archive), file, PurePosixPath(place / "bin"))

    outcome = sh(replace(made, args=(*made.args[:3], str(place / "links"), str(place / "record"))))

    assert (outcome.status, b"holds no program etcd" in outcome.stderr) == (65, True)
    assert other.stat().st_mode & 0o777 == 0o600
    assert list((place / "bin").iterdir()) == []
