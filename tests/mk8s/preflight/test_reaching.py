"""The second question in real shells on this machine, and how its answer is read."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mk8s.preflight.found import Reached, Way
from mk8s.preflight.reaching import BATCH, reach, read_reached, seconds_for
from transports.base import Command

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
NEEDED = ("timeout", "dirname", "mktemp", "rm", "dd", "tr", "sh", "getent", "ip", "sleep")


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return ["busybox", "sh"] if request.param == "busybox" else [request.param]


def run_for_real(shell: list[str], command: Command, path: str = os.environ["PATH"]) -> Reached:
    words = [shutil.which(shell[0]) or shell[0], *shell[1:], "-c", command.script, "sh", *command.args]
    environment = {**os.environ, "LC_ALL": "C", "PATH": path}
    done = subprocess.run(words, capture_output=True, check=True, text=True, env=environment)
    assert done.stderr == ""
    return read_reached(done.stdout)


def only_with(tool: str, folder: Path) -> str:
    """A PATH on which of bash, nc and curl one or none is there; skips where this machine lacks it."""
    for name in filter(None, (*NEEDED, tool)):
        at = shutil.which(name)
        if at is None:
            pytest.skip(f"this machine has no {name}")
        (folder / name).symlink_to(at)
    return str(folder)


@contextmanager
def ports() -> Iterator[tuple[int, int]]:
    """A port on the loopback that someone listens on, and one that is ours, so that nobody else does."""
    with socket.socket() as listener, socket.socket() as silent:
        listener.bind(("127.0.0.1", 0))
        listener.listen()
        silent.bind(("127.0.0.1", 0))
        yield listener.getsockname()[1], silent.getsockname()[1]


@contextmanager
def udp_ports() -> Iterator[tuple[int, int]]:
    """The same for datagrams: a socket with a peer of its own takes none of anybody else."""
    with socket.socket(type=socket.SOCK_DGRAM) as holder, socket.socket(type=socket.SOCK_DGRAM) as deaf:
        holder.bind(("127.0.0.1", 0))
        deaf.bind(("127.0.0.1", 0))
        deaf.connect(("127.0.0.1", 9))
        yield holder.getsockname()[1], deaf.getsockname()[1]


@pytest.fixture
def quick_disk(tmp_path: Path) -> Iterator[Path]:
    """In memory where that can be: a disk to which others write gigabytes may take seconds for one write."""
    shared = "/dev/shm" if os.access("/dev/shm", os.W_OK) else tmp_path
    with tempfile.TemporaryDirectory(dir=shared) as folder:
        yield Path(folder)


@pytest.mark.parametrize("tool", ["bash", "nc", "curl"])
def test_open_ways_are_known_with_any_of_the_three(shell: list[str], tool: str, tmp_path: Path) -> None:
    """Whether somebody listens there or nobody: a refusal is the kernel's own."""
    if tool == "curl" and shell != ["dash"]:
        pytest.skip("it holds each connection for three seconds: once is enough")
    with ports() as (listened, free):
        seen = run_for_real(
            shell,
            reach([("tcp", "127.0.0.1", listened), ("tcp", "127.0.0.1", free)]),
            only_with(tool, tmp_path),
        )
    assert seen.tool == tool
    assert seen.ways["tcp", "127.0.0.1", listened] == Way("open", answers=True)
    refused = seen.ways["tcp", "127.0.0.1", free]
    assert refused == Way("open") or (tool == "curl" and refused.state == "unknown")  # newer ones do not say


# Instead of timeout(1): so a tool ends, as if nobody had answered it, the first time or each time. Else it
# has all time, lest this machine be busy; only curl, which holds a connection, has to be ended.
DEAF = """#!/bin/sh
for word; do :; done
port=${{word##*:}}
echo "$port" >>"{log}"
case $port in
  {never}) exit {status};;
  {late}) [ "$(grep -c "^$port$" "{log}")" -gt 1 ] || exit {status};;
esac
[ "$2" != curl ] || exec {timeout} "$@"
shift
exec "$@"
"""


@pytest.mark.parametrize(("tool", "status"), [("bash", 124), ("nc", 124), ("curl", 28)])
def test_silence_alone_is_asked_again_and_only_once(
    shell: list[str], tool: str, status: int, tmp_path: Path
) -> None:
    """Two packets that are lost, or bash that starts late on a busy host, are no firewall."""
    if tool == "curl" and shell != ["dash"]:
        pytest.skip("it holds each connection for three seconds: once is enough")
    path, log = only_with(tool, tmp_path), tmp_path / "asked"
    with ports() as (late, free), ports() as (_, never):
        (tmp_path / "grep").symlink_to(str(shutil.which("grep")))
        deaf = {"log": log, "never": never, "late": late, "status": status}
        (tmp_path / "timeout").unlink()
        (tmp_path / "timeout").write_text(DEAF.format(**deaf, timeout=shutil.which("timeout")))
        (tmp_path / "timeout").chmod(0o755)
        seen = run_for_real(shell, reach([("tcp", "127.0.0.1", port) for port in (late, free, never)]), path)

    assert seen.ways["tcp", "127.0.0.1", late] == Way("open", answers=True)
    assert seen.ways["tcp", "127.0.0.1", free].state != "silent"
    assert seen.ways["tcp", "127.0.0.1", never] == Way("silent", words="no answer")
    assert Counter(map(int, log.read_text().split())) == {late: 2, free: 1, never: 2}


def test_without_any_of_them_nothing_is_tried(shell: list[str], tmp_path: Path) -> None:
    seen = run_for_real(shell, reach([("tcp", "127.0.0.1", 1)]), only_with("", tmp_path))
    assert (seen.tool, seen.ways) == ("none", {})


def test_a_datagram_that_is_refused_proves_an_open_way(shell: list[str]) -> None:
    """To a port that somebody has, it is swallowed in silence."""
    with udp_ports() as (held, free):
        seen = run_for_real(shell, reach([("udp", "127.0.0.1", held), ("udp", "127.0.0.1", free)]))
    assert seen.ways["udp", "127.0.0.1", free] == Way("open")
    assert seen.ways["udp", "127.0.0.1", held] == Way("silent", words="no answer")


def test_names_are_resolved(shell: list[str]) -> None:
    seen = run_for_real(shell, reach([], ["localhost", "no-such-name.invalid"]))
    assert set(seen.names["localhost"]) & {"127.0.0.1", "::1"}
    assert seen.names["no-such-name.invalid"] == ()


def test_writes_are_measured_and_nothing_is_left(shell: list[str], quick_disk: Path) -> None:
    """In the nearest folder that exists."""
    seen = run_for_real(shell, reach([], write_at=str(quick_disk / "etcd" / "deep")))
    assert seen.write_seconds is not None
    assert 0 < seen.write_seconds < 1
    assert list(quick_disk.iterdir()) == []


def test_nothing_is_written_to_a_file_that_somebody_puts_in_its_place(
    shell: list[str], tmp_path: Path
) -> None:
    """Whoever owns the folder could do so between the making of the file and its opening, by root."""
    folder, victim, programs = (tmp_path / name for name in ("data", "victim", "programs"))
    for path in (folder, programs):
        path.mkdir()
    victim.write_text("precious")
    swap = programs / "mktemp"
    swap.write_text(f'#!/bin/sh\nln -s {victim} "$2/probe"\necho "$2/probe"\n')
    swap.chmod(0o755)
    seen = run_for_real(shell, reach([], write_at=str(folder)), f"{programs}:{os.environ['PATH']}")

    assert seen.write_seconds is None
    assert victim.read_text() == "precious"


def test_an_odd_argument_is_not_obeyed(shell: list[str], tmp_path: Path) -> None:
    """Names and addresses come from a manifest, and stay words."""
    run_for_real(shell, reach([("tcp", f"$(touch {tmp_path / 'x'})", 1)], [f"`touch {tmp_path / 'y'}`"]))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("tool", "line", "way"),
    [
        ("bash", "h 1 0", Way("open", answers=True)),
        ("bash", "h 1 124", Way("silent", words="no answer")),
        ("bash", "h 1 1 h: line 1: /dev/tcp/h/1: No route to host", Way("blocked", words="No route to host")),
        ("bash", "h 1 1 h: connect: Connection refused", Way("open")),
        ("bash", "h 1 1 h: Name or service not known /dev/tcp/h/1: Invalid argument",
         Way("nameless", words="Invalid argument")),
        ("bash", "h 1 1 /dev/tcp/h/1: No such file or directory",
         Way("unknown", words="No such file or directory")),
        ("nc", "h 1 1 (UNKNOWN) [10.0.0.1] 1 (?) : Connection refused", Way("open")),
        ("nc", "h 1 1 nc: connect to h port 1 (tcp) timed out: Operation now in progress",
         Way("silent", words="no answer")),
        ("nc", "h 1 1 Ncat: No route to host.", Way("blocked", words="No route to host")),
        ("curl", "h 1 124", Way("open", answers=True)),
        ("curl", "h 1 28 curl: (28) Connection timed out after 2001 ms", Way("silent", words="no answer")),
        ("curl", "h 1 7 curl: (7) Failed to connect to h port 1: Connection refused", Way("open")),
        ("curl", "h 1 7 curl: (7) Failed to connect to h port 1 after 0 ms: Couldn't connect to server",
         Way("unknown", words="Couldn't connect to server")),
        ("curl", "h 1 6 curl: (6) Could not resolve host: h", Way("nameless", words="h")),
    ],
)  # fmt: skip
def test_the_words_of_each_tool_are_understood(tool: str, line: str, way: Way) -> None:
    assert read_reached(f"tool={tool}\ntcp={line}\nend=yes\n").ways["tcp", "h", 1] == way


def test_a_gateways_word_on_udp_is_no_silence() -> None:
    seen = read_reached("udp=h 8472 1 h: line 3: printf: write error: No route to host\nend=yes")
    assert seen.ways["udp", "h", 8472] == Way("blocked", words="No route to host")


@pytest.mark.parametrize(
    ("line", "seconds"),
    [
        ("409600 bytes (410 kB, 400 KiB) copied, 2 s, 205 kB/s", 0.01),
        ("20480 bytes (20 kB, 20 KiB) copied, 5.0e+0 s, 4 kB/s", 0.5),  # it was stopped
        ("0 bytes copied, 5 s, 0 B/s", None),
        ("dd: failed to open", None),
        ("409600 bytes copied, 1.2.3 s", None),
    ],
)
def test_the_time_of_a_write_is_read_from_dds_last_words(line: str, seconds: float | None) -> None:
    assert read_reached(f"write=1+0 records in\nwrite={line}\nend=yes").write_seconds == seconds


def test_an_answer_that_was_cut_is_none() -> None:
    with pytest.raises(ValueError, match="lacks its end"):
        read_reached("tool=bash\ntcp=h 1 0\n")


@pytest.mark.parametrize("targets", [1, BATCH, 10 * BATCH])
def test_the_command_has_the_time_that_its_attempts_may_take(targets: int) -> None:
    """A few seconds for each hundred."""
    asked = reach([("tcp", "10.0.0.1", port) for port in range(1, targets + 1)])
    assert asked.timeout == seconds_for(targets) <= 20 + 7 * (targets / BATCH + 1)


@given(st.text())
def test_whatever_a_host_says_is_read_or_refused(text: str) -> None:
    with suppress(ValueError):
        read_reached(f"{text}\ntcp={text}\nudp={text}\nname=x {text}\nwrite={text}\nend=yes")
