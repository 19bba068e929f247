"""A real PostgreSQL on this machine for a lab's hosts, from Debian's package; gone after the block."""

from __future__ import annotations

import ipaddress
import os
import pwd
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from mk8s.lab import Lab

__all__ = ["Postgres", "postgres"]

USER, PASSWORD = "kine", "Str0ng word/@:"  # what has to be quoted in a URL
PATIENCE = 300  # seconds for one of its programs, on a busy disk
PLACES = sorted(Path("/usr/lib/postgresql").glob("*/bin"))  # where Debian's package has its programs


@dataclass(frozen=True)
class Postgres:
    """Where it listens, and whom it lets in, by password (SCRAM-SHA-256)."""

    address: str
    port: int
    user: str = USER
    password: str = PASSWORD

    def rows(self, database: str, query: str) -> str:
        """What the database says, asked on this machine by its own client."""
        where = ["-h", self.address, "-p", str(self.port), "-U", self.user, "-d", database]
        asked = subprocess.run(
            ["psql", *where, "-Atc", query],
            env={**os.environ, "PGPASSWORD": self.password},
            capture_output=True, text=True, timeout=PATIENCE, check=True,
        )  # fmt: skip
        return asked.stdout.strip()


@contextmanager
def postgres(lab: Lab) -> Iterator[Postgres]:
    """Listens on the machine's own address in the lab's network. Skips where the package is not installed."""
    if not PLACES or not shutil.which("psql"):
        pytest.skip("Debian's package postgresql is not installed")
    folder = Path(tempfile.mkdtemp(prefix="mk8s-postgres."))
    server = Postgres(_gateway(lab), _free_port(_gateway(lab)))
    try:
        _start(folder, server)
        yield server
    finally:
        _as_postgres("pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop", check=False)
        shutil.rmtree(folder, ignore_errors=True)


def _gateway(lab: Lab) -> str:
    return str(ipaddress.ip_network(f"{lab.hosts[0].address}/24", strict=False)[1])


def _free_port(address: str) -> int:
    with socket.socket() as probe:
        probe.bind((address, 0))
        return int(probe.getsockname()[1])


def _start(folder: Path, server: Postgres) -> None:
    """It refuses to run as root: the folder and the processes are the user's that the package makes."""
    owner = pwd.getpwnam("postgres")
    (folder / "password").write_text(server.password)
    for path in (folder, folder / "password"):
        os.chown(path, owner.pw_uid, owner.pw_gid)
    data = folder / "data"
    login = ("-U", server.user, "-A", "scram-sha-256", f"--pwfile={folder}/password")
    _as_postgres("initdb", "-D", data, *login, "--no-sync", "--locale=C", "--encoding=UTF8")
    with (data / "pg_hba.conf").open("a") as rules:
        rules.write("host all all 0.0.0.0/0 scram-sha-256\n")
    options = f"-p {server.port} -k '' -c listen_addresses={server.address} -c fsync=off"
    _as_postgres("pg_ctl", "-D", data, "-o", options, "-l", folder / "log", "-w", "-t", "240", "start")


def _as_postgres(program: str, *words: str | Path, check: bool = True) -> None:
    command = [str(PLACES[-1] / program), *map(str, words)]
    subprocess.run(
        command, user="postgres", group="postgres", extra_groups=[], cwd="/", timeout=PATIENCE, check=check,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
    )  # fmt: skip
