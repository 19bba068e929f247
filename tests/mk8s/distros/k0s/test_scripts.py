"""The driver's scripts in a real shell: what they install, place, tell and refuse."""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from mk8s.distros.k0s import commands
from tests.mk8s.distros.situations import make_node
from tests.mk8s.shells import SHELLS, Sh, file_of, shell_among
from transports.base import Command, File, Outcome

SERVER = make_node("srv-1", "primary", "10.0.0.11")
AGENT = make_node("agent-1", "agent", "10.0.0.21")
UNIT = "k0scontroller.service"

SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> "{log}"
state=$(cat "{state}" 2>/dev/null)
case "$1" in
  is-active) [ "$state" = active ] ;;
  show) echo "ActiveState=$state" ;;
esac
"""

K0S = """\
#!/bin/sh
echo "$PWD: $*" >> "{log}"
[ ! -e "{broken}" ] || {{ echo "Error: $(cat "{broken}")" >&2; exit 1; }}
case "$1" in
  install)
    [ ! -e "{units}/k0s$2.service" ] || {{ echo "Error: Init already exists" >&2; exit 1; }}
    shift; printf '[Service]\\nExecStart=/usr/local/bin/k0s %s\\n' "$*" > "{units}/k0s$1.service" ;;
  etcd) echo '{{"members":{{"srv-1":"https://10.0.0.11:2380"}}}}' ;;
esac
"""


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A host: folders for units and records, and stand-ins for systemd and k0s."""
    for name in ("tools", "units", "records"):
        (tmp_path / name).mkdir()
    log, state, broken, units = (str(tmp_path / name) for name in ("log", "state", "broken", "units"))
    put(tmp_path / "tools/systemctl", SYSTEMCTL.format(log=log, state=state))
    put(tmp_path / "tools/k0s", K0S.format(log=log, broken=broken, units=units))
    return tmp_path


def put(path: Path, text: str) -> None:
    path.write_text(text)
    path.chmod(0o755)


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, root: Path) -> Sh:
    return shell_among(root / "tools", request.param)


def log_of(root: Path) -> list[str]:
    return (root / "log").read_text().splitlines() if (root / "log").exists() else []


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def written(path: Path, text: str = "content") -> File:
    path.write_text(text)
    return file_of(path)


# Files


def place(root: Path) -> tuple[Command, Command]:
    staged, target = root / "staged", root / "data/images/bundle"
    file = written(staged)
    return (
        commands.place(file, PurePosixPath(staged), PurePosixPath(target)),
        commands.has_placed(file, PurePosixPath(target)),
    )


def test_an_archive_is_placed_whole_and_recognised(sh: Sh, root: Path) -> None:
    """k0s imports whatever it sees in the folder, so nothing else ever stands there."""
    command, check = place(root)

    assert sh(check).status != 0
    assert sh(command) == Outcome(status=0)
    assert sh(command) == Outcome(status=0)
    assert sh(check).status == 0
    assert names(root / "data/images") == ["bundle"]


def test_what_changed_since_it_was_sent_is_not_placed(sh: Sh, root: Path) -> None:
    command, _ = place(root)
    (root / "staged").write_text("another")

    assert sh(command).status == 65
    assert names(root / "data/images") == []


def test_a_program_that_is_there_is_found_and_linked(sh: Sh, root: Path) -> None:
    command = replace(commands.find_program(), args=(str(root / "bin/k0s"), "/nowhere/k0s"))

    assert sh(command) == Outcome(status=0)
    assert (root / "bin/k0s").readlink() == root / "tools/k0s"


def test_a_program_that_is_nowhere_is_missed_at_once(sh: Sh, root: Path) -> None:
    (root / "tools/k0s").unlink()
    command = replace(commands.find_program(), args=(str(root / "bin/k0s"), "/nowhere/k0s"))

    assert sh(command).status == 69


@pytest.mark.parametrize(
    ("said", "status"), [("", 0), ("unknown field", 1), ('unknown command "config" for "k0s"', 0)]
)
def test_a_config_is_judged_by_k0s_where_it_can(sh: Sh, root: Path, said: str, status: int) -> None:
    """Old releases have no such command; their `k0s install` judges it."""
    if said:
        (root / "broken").write_text(said)
    outcome = sh(replace(commands.validate_config(), args=(str(root / "tools/k0s"), "/etc/k0s/k0s.yaml")))

    assert outcome.status == status
    assert outcome.stderr.decode() == (f"Error: {said}\n" if status else "")


# The unit


def unit(root: Path, *words: str, late: str = "") -> tuple[Command, Command]:
    """The driver's two commands, with every path under `root`."""
    args = (str(root / "records/unit"), str(root / "tools/k0s"), str(root / "units"), UNIT, late, *words)
    made = (
        commands.install_unit(SERVER, words, late.split()),
        commands.is_installed(SERVER, words, late.split()),
    )
    return replace(made[0], args=args), replace(made[1], args=args)


def test_a_unit_is_written_once_and_recognised_afterwards(sh: Sh, root: Path) -> None:
    command, check = unit(root, "controller", "--config=/etc/k0s/k0s.yaml")

    assert sh(check).status != 0
    assert sh(command) == Outcome(status=0)
    assert sh(check).status == 0
    assert "systemctl" not in log_of(root)[0]
    assert log_of(root)[-1] == "daemon-reload"


def test_other_words_make_another_unit_although_k0s_refuses_where_one_is(sh: Sh, root: Path) -> None:
    """Releases before v1.24 know no --force."""
    sh(unit(root, "controller")[0])
    command, check = unit(root, "controller", "--enable-worker")

    assert sh(check).status != 0
    assert sh(command) == Outcome(status=0)
    assert sh(check).status == 0
    assert "--enable-worker" in (root / "units" / UNIT).read_text()
    assert names(root / "units") == [UNIT]


def test_a_unit_that_somebody_changed_is_seen(sh: Sh, root: Path) -> None:
    command, check = unit(root, "controller")
    sh(command)
    (root / "units" / UNIT).write_text("[Service]\nExecStart=/bin/false\n")

    assert sh(check).status != 0


def test_where_k0s_refuses_the_old_unit_stays(sh: Sh, root: Path) -> None:
    (root / "units" / UNIT).write_text("old")
    (root / "broken").write_text("invalid node config")
    outcome = sh(unit(root, "controller")[0])

    assert outcome.status == 1
    assert b"invalid node config" in outcome.stderr
    assert (root / "units" / UNIT).read_text() == "old"


def test_words_that_only_the_service_takes_are_added_to_its_command_line(sh: Sh, root: Path) -> None:
    command, check = unit(root, "controller", late="--ignore-pre-flight-checks")

    assert sh(command) == Outcome(status=0)
    assert sh(check).status == 0
    assert (root / "units" / f"{UNIT}.d" / "40-mk8s-flags.conf").read_text() == (
        "# written by mk8s\n[Service]\nExecStart=\n"
        "ExecStart=/usr/local/bin/k0s controller --ignore-pre-flight-checks\n"
    )
    assert sh(unit(root, "controller")[1]).status != 0
    assert sh(unit(root, "controller")[0]) == Outcome(status=0)
    assert names(root / "units" / f"{UNIT}.d") == []


@pytest.mark.parametrize(
    ("state", "stopped"), [("active", False), ("activating", False), ("inactive", True), ("failed", True)]
)
def test_a_unit_that_waits_for_its_next_try_is_not_stopped(
    sh: Sh, root: Path, state: str, stopped: bool
) -> None:
    (root / "state").write_text(state)

    assert (sh(commands.stop_unless_stopped(SERVER)[1]).status == 0) is stopped


# Joining


def progress(root: Path, node: str = "worker", etcd: str = "no", fresh: int = 60) -> Command:
    args = (node, str(root / "data"), etcd, UNIT, str(root / "token"), str(fresh))
    return replace(commands.ask_progress(AGENT, etcd=False), args=args)


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (root / "data" / name).touch()


def test_a_worker_has_joined_once_it_has_its_own_credentials(sh: Sh, root: Path) -> None:
    assert sh(progress(root)).text == "new"
    touch(root, "kubelet.conf")
    assert sh(progress(root)).text == "joined"


def test_a_controller_has_joined_once_it_has_keys_and_its_etcd_data(sh: Sh, root: Path) -> None:
    touch(root, "pki/ca.key", "pki/ca.crt")

    assert sh(progress(root, "controller", "yes")).text == "new"
    assert sh(progress(root, "controller", "no")).text == "joined"
    touch(root, "etcd/member/snap/db")
    assert sh(progress(root, "controller", "yes")).text == "joined"


def test_a_service_with_a_token_that_is_good_still_is_joining(sh: Sh, root: Path) -> None:
    """A used token is an empty file, and an old one is of no use."""
    (root / "state").write_text("active")
    (root / "token").write_text("")
    assert sh(progress(root)).text == "new"
    (root / "token").write_text("token")
    assert sh(progress(root)).text == "joining"
    os.utime(root / "token", (time.time() - 120,) * 2)
    assert sh(progress(root)).text == "new"


def test_a_token_that_somebody_gave_is_never_taken_for_good(sh: Sh, root: Path) -> None:
    """It may have expired before it came, and the next run may bring another one."""
    (root / "state").write_text("active")
    (root / "token").write_text("token")
    fresh = commands.ask_progress(AGENT, etcd=False, ours=False).args[-1]

    assert sh(progress(root, fresh=int(fresh))).text == "new"


def test_a_token_is_made_beside_the_config(sh: Sh, root: Path) -> None:
    """Old releases look for it in the folder they are called in, and nowhere else."""
    command = commands.create_token(SERVER, AGENT)
    (root / "etc").mkdir()
    sh(replace(command, args=(str(root / "etc"), str(root / "tools/k0s"), *command.args[2:])))

    assert log_of(root) == [f"{root}/etc: token create --role worker --expiry 10m"]


@pytest.mark.parametrize(("peer", "status"), [("https://10.0.0.11:2380", 1), ("https://10.0.0.1:2380", 0)])
def test_a_member_is_looked_for_by_its_whole_address(sh: Sh, root: Path, peer: str, status: int) -> None:
    command = commands.has_no_member(SERVER, peer)

    assert sh(replace(command, args=(peer, str(root / "tools/k0s"), "etcd", "member-list"))).status == status


def test_certificates_are_shared_with_the_users_group(sh: Sh, root: Path) -> None:
    (root / "key").write_text("")
    give, ask = commands.share("root", [PurePosixPath(root / "key")])

    assert sh(give) == Outcome(status=0)
    assert sh(ask).status == 0
    assert sh(replace(ask, args=("nobody-has-this-name", str(root / "key")))).status != 0
