"""Real OpenSSH servers on loopback to measure against: those of the tests, with room for many sessions."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from benchmarks.measuring import NotMeasuredError, scratch
from tests.transports.sshd import missing, public, running

__all__ = ["NETWORK", "Door", "doors", "payload"]

NETWORK = "127.0.7"
ROOMY = """\
MaxSessions 200
Subsystem sftp internal-sftp
"""
BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class Door:
    """How to log in to one server: the same for every contender."""

    host: str
    port: int
    user: str
    key: str
    known_hosts: str


@contextmanager
def doors(count: int) -> Iterator[tuple[Path, list[Door]]]:
    """A folder in memory, and so many servers. Raises NotMeasuredError where none can be started."""
    problem = missing()
    if problem:
        raise NotMeasuredError(problem)
    folder = Path(tempfile.mkdtemp(prefix="mk8s-bench-", dir=scratch()))
    try:
        with ExitStack() as stack:
            yield folder, [_door(stack, folder, number) for number in range(1, count + 1)]
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _door(stack: ExitStack, folder: Path, number: int) -> Door:
    """Start one server; it listens at an address of its own too, by which it is known."""
    host = f"{NETWORK}.{number}"
    extra = f"ListenAddress {host}\n{ROOMY}"
    server = stack.enter_context(running(folder / f"sshd-{number}", extra=extra))
    known = folder / f"known_hosts-{number}"
    known.write_text(f"[{host}]:{server.port} {public(server.folder / 'host_ed25519')}\n")
    return Door(host, server.port, server.user, str(server.key), str(known))


def payload(path: Path, size: int) -> Path:
    """A file that nothing can compress, of so many bytes."""
    with Path("/dev/urandom").open("rb") as noise, path.open("wb") as stream:
        for start in range(0, size, BLOCK):
            stream.write(noise.read(min(BLOCK, size - start)))
    return path
