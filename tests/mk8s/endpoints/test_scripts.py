"""What puts haproxy and keepalived to work, in real shells; and its model, on a simulated host."""

from __future__ import annotations

import subprocess
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from trio.testing import MockClock

from mk8s import endpoints
from mk8s.endpoints import commands, keepalived, model
from mk8s.executor import Executor
from mk8s.modelled import model_os
from tests.mk8s.endpoints.made import a_cluster, situation
from tests.mk8s.shells import SHELLS, Sh, shell_among
from transports.base import Command
from transports.simulated import SimulatedHost, SimulatedNetwork, SimulatedTransport

SYSTEMCTL = """\
#!/bin/sh
echo "systemctl $*" >>"${0%/*}/log"
case $1 in
  reload-or-restart|restart) [ ! -e "${0%/*}/broken" ];;
  is-active|is-enabled) [ ! -e "${0%/*}/stopped" ];;
esac
"""
IP = """\
#!/bin/sh
[ "$*" != "-o addr show to 10.0.0.11" ] || echo "2: eth7@if9    inet 10.0.0.11/24 scope global"
"""
HAPROXY = '#!/bin/sh\nwhile [ "$1" != -f ]; do shift; done\n! grep nonsense "$2" >&2\n'
KEEPALIVED = """\
#!/bin/sh
[ "$1" != --help ] || { echo "  -t, --config-test"; exit; }
! grep nonsense "$3" >&2
"""
JOURNALCTL = "#!/bin/sh\necho 'cannot bind'\n"
HERE = "10.0.0.11"


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    folder = tmp_path / "tools"
    folder.mkdir()
    programs = {
        "systemctl": SYSTEMCTL, "ip": IP, "haproxy": HAPROXY, "keepalived": KEEPALIVED,
        "journalctl": JOURNALCTL,
    }  # fmt: skip
    for name, text in programs.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    (folder / "log").touch()
    return folder


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tools: Path) -> Sh:
    return shell_among(tools, request.param)


class OneProgram:
    """A program's files below a folder, and its two commands with every path in there."""

    def __init__(self, folder: Path, name: str, text: str) -> None:
        self.template, self.target = folder / "template", folder / "etc" / f"{name}.conf"
        self.before = folder / "before"
        self.template.write_text(text)
        paths = PurePosixPath(self.template), PurePosixPath(self.target)
        net = folder / "proc" / "net"
        net.mkdir(parents=True)
        self.sockets = net / "tcp"
        self.sockets.touch()
        places = (str(folder / "started" / name), str(folder / "proc"))
        self.check = _with(commands.is_applied(name, *paths, HERE), *places)
        self.apply = _with(commands.apply(name, *paths, HERE), *places, str(self.before))


def _with(command: Command, *last: str) -> Command:
    """The same with other words at its end."""
    return replace(command, args=(*command.args[: -len(last)], *last))


@pytest.mark.parametrize("name", ["haproxy", "keepalived"])
def test_a_config_is_applied_once_and_again_when_it_changes(
    sh: Sh, tools: Path, tmp_path: Path, name: str
) -> None:
    """It is reloaded, not restarted: connections and the address stay where they are."""
    one = OneProgram(tmp_path, name, "first\n")
    assert [sh(command).status for command in (one.check, one.apply, one.check)] == [1, 0, 0]
    assert one.target.read_text() == "first\n"
    one.template.write_text("second\n")
    assert [sh(command).status for command in (one.check, one.apply, one.check)] == [1, 0, 0]
    reloads = [line for line in (tools / "log").read_text().splitlines() if "reload-or-restart" in line]
    assert reloads == [f"systemctl reload-or-restart {name}.service"] * 2


def test_the_interface_is_the_one_with_the_nodes_own_address(sh: Sh, tmp_path: Path) -> None:
    """Where the manifest names none."""
    one = OneProgram(tmp_path, "keepalived", "interface @INTERFACE@\ndev @INTERFACE@\n")
    assert sh(one.apply).status == 0
    assert one.target.read_text() == "interface eth7\ndev eth7\n"
    assert sh(one.check).status == 0


def test_no_interface_with_that_address_is_told(sh: Sh, tools: Path, tmp_path: Path) -> None:
    (tools / "ip").write_text("#!/bin/sh\n")
    one = OneProgram(tmp_path, "keepalived", "@INTERFACE@\n")
    outcome = sh(one.apply)
    assert outcome.status == commands.MISSING
    assert "no interface of this host has the address 10.0.0.11" in outcome.complaint
    assert not one.target.exists()


@pytest.mark.parametrize("name", ["haproxy", "keepalived"])
def test_a_config_that_is_refused_replaces_none_that_works(sh: Sh, tmp_path: Path, name: str) -> None:
    one = OneProgram(tmp_path, name, "good\n")
    assert sh(one.apply).status == 0
    one.template.write_text("nonsense\n")
    outcome = sh(one.apply)
    assert (outcome.status, f"{name} refuses its config: nonsense" in outcome.complaint) == (65, True)
    assert one.target.read_text() == "good\n"
    assert [path.name for path in one.target.parent.iterdir()] == [one.target.name]


def test_a_missing_program_is_told_with_the_way_out(sh: Sh, tools: Path, tmp_path: Path) -> None:
    one = OneProgram(tmp_path, "nothing-of-that-name", "x\n")
    outcome = sh(one.apply)
    assert outcome.status == commands.MISSING
    assert (
        "there is no nothing-of-that-name on this host; install it, or add its package" in outcome.complaint
    )


def test_somebody_elses_config_is_kept_once(sh: Sh, tmp_path: Path) -> None:
    """And one of ours is not taken for it later."""
    one = OneProgram(tmp_path, "haproxy", "# written by mk8s\n")
    one.target.parent.mkdir()
    one.target.write_text("theirs\n")
    assert sh(one.apply).status == 0
    one.template.write_text("# written by mk8s\nsecond\n")
    assert sh(one.apply).status == 0
    assert (one.before / "haproxy.conf").read_text() == "theirs\n"


def test_a_program_that_does_not_start_says_why_and_is_tried_again(
    sh: Sh, tools: Path, tmp_path: Path
) -> None:
    one = OneProgram(tmp_path, "haproxy", "x\n")
    (tools / "broken").touch()
    outcome = sh(one.apply)
    assert (outcome.status, outcome.complaint) == (1, "cannot bind")
    (tools / "broken").unlink()
    assert [sh(command).status for command in (one.check, one.apply, one.check)] == [1, 0, 0]


SOCKET = "   0: 00000000:403B 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 1 1\n"
BIND = "frontend x\n  bind *:16443\n"


def test_a_reload_that_left_haproxy_without_its_port_is_seen_and_mended(
    sh: Sh, tools: Path, tmp_path: Path
) -> None:
    """systemd calls it active. It is restarted, and a restart that does not help is told."""
    one = OneProgram(tmp_path, "haproxy", BIND)
    (tools / "sleep").write_text("#!/bin/sh\n")
    (tools / "sleep").chmod(0o755)
    assert sh(one.apply).status == 1
    verbs = [
        line.split()[1] for line in (tools / "log").read_text().splitlines() if line.endswith(".service")
    ]
    assert verbs[-2:] == ["reload-or-restart", "restart"]
    one.sockets.write_text(SOCKET)
    assert [sh(command).status for command in (one.apply, one.check)] == [0, 0]
    one.sockets.write_text(SOCKET.replace(" 0A ", " 01 "))
    assert sh(one.check).status == 1


def test_what_keepalived_asks_sees_the_port_and_nothing_else(tmp_path: Path) -> None:
    """In the kernel's own table, whichever family it is in."""
    text = keepalived.check_script(a_cluster(), (6443,)).decode()
    assert "for port in 403B; do" in text
    tables = [tmp_path / "tcp", tmp_path / "tcp6"]
    script = text.replace("/proc/net/tcp6", str(tables[1])).replace("/proc/net/tcp ", f"{tables[0]} ")

    def asked(*contents: str) -> int:
        for table, content in zip(tables, contents, strict=True):
            table.write_text(content)
        return subprocess.run(["sh", "-c", script], check=False).returncode

    six = SOCKET.replace("00000000:403B 00000000", f"{'0' * 32}:403B {'0' * 32}")
    connected = SOCKET.replace("00000000:0000 0A", "0100007F:D431 01")
    assert [asked(SOCKET, ""), asked("", six), asked("", ""), asked(connected, "")] == [0, 0, 1, 1]


def test_one_that_was_stopped_by_hand_is_seen(sh: Sh, tools: Path, tmp_path: Path) -> None:
    one = OneProgram(tmp_path, "haproxy", "x\n")
    sh(one.apply)
    (tools / "stopped").touch()
    assert sh(one.check).status == 1


# The model


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.mark.anyio
async def test_a_second_run_changes_nothing_until_a_server_is_added() -> None:
    """Then the others learn of it: haproxy leads to it, keepalived hears it."""
    network = SimulatedNetwork()
    host = network.add(SimulatedHost("srv-1", "10.0.0.11"))
    model_os(host)
    model.teach(host)
    executor = Executor({"srv-1": SimulatedTransport("srv-1", host, network)})
    cluster = a_cluster()
    fewer = a_cluster("keepalived", "rke2", *cluster.nodes[:2])

    async def changed(s: Any) -> int:
        return (await executor.run_steps("srv-1", endpoints.refresh(s, (6443, 9345)))).changed

    first = await changed(situation(fewer))
    assert (await changed(situation(fewer)), await changed(situation(cluster))) == (0, 4)
    assert first > 4
    assert b"server srv-3 10.0.0.13:9345" in host.disk.read(PurePosixPath("/etc/haproxy/haproxy.cfg"))


def test_every_command_has_a_model() -> None:
    path = PurePosixPath("/x")
    made = [commands.apply("haproxy", path, path, ""), commands.is_applied("haproxy", path, path, "")]
    assert {command.operation for command in made} == set(model.HANDLED)
