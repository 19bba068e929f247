"""Direct push, links unshaped: 200 MB to each of N hosts, by mk8s as a run does it and by its peers.

mk8s sends by pieces: it looks what is there and whether there is room, appends, verifies the whole from the
node's disk and moves it. Of the peers, `scp` checks nothing after it has sent, so it stands here bare and
with a `sha256sum` afterwards; asyncssh and pyinfra are followed by one too; Ansible compares a sha1 itself.

Ansible needs Python on its hosts; they are sshds of this machine, which has it. See `benchmarks.contest`.
"""

from __future__ import annotations

import os
import shlex
import shutil
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import anyio
import trio

from benchmarks import leftovers
from benchmarks.contenders import AT_ONCE, GCM, PATIENCE, hashed, openssh_options, roads
from benchmarks.contest import BASE, Entry, Trial, by_asyncssh, by_pyinfra, contest, in_process, target_of
from benchmarks.measuring import NotMeasuredError, Usage, measure
from benchmarks.servers import Door, doors, payload
from benchmarks.tables import Table
from mk8s.executor import Executor
from mk8s.steps import Upload

__all__ = ["push_mk8s", "run"]


def run(quick: bool) -> Iterator[Table]:
    """A table for each number of hosts."""
    sizes = ((1, 1), (4, 1)) if quick else ((1, 3), (8, 1), (32, 1))
    amount = 50_000_000 if quick else 200_000_000
    entries: dict[str, Entry] = {
        BASE: in_process(push_mk8s),
        "scp (checks nothing)": by_scp(),
        "scp, sha256sum": by_scp(check=True),
        "scp aes-gcm, sha256sum": by_scp("-c", GCM, check=True),
        "asyncssh, sha256sum": by_asyncssh,
        "pyinfra, sha256sum": by_pyinfra,
        "ansible (sha1)": by_ansible,
    }
    with doors(max(hosts for hosts, _ in sizes)) as (folder, every):
        source = payload(folder / "payload", amount)
        for hosts, rounds in sizes:
            title = f"push: {amount // 10**6} MB to {hosts} hosts"
            yield contest(title, Trial(every[:hosts], source, folder / "arrived"), rounds, entries)


def push_mk8s(hosts: list[str], source: str, folder: str, _commands: int = 0) -> str:
    """In a process of its own: one upload to each host by the executor, so many at once as a run allows."""

    async def main() -> None:
        file = hashed(Path(source))
        turn = anyio.CapacityLimiter(AT_ONCE)
        ways = roads(hosts)
        executor = Executor(ways)

        async def serve(name: str) -> None:
            async with turn:
                await executor.run_steps(name, [Upload("send", file, target_of(folder, name))])
            await ways[name].close()

        async with anyio.create_task_group() as tasks:
            for name in ways:
                tasks.start_soon(serve, name)

    trio.run(main)
    return "done"


# -- scp


def by_scp(*options: str, check: bool = False) -> Callable[[Trial], Usage]:
    """A process for each host, all at once, by a shell that waits for them."""

    def entry(trial: Trial) -> Usage:
        if not shutil.which("scp"):
            raise NotMeasuredError("scp is not installed (Debian: apt install openssh-client)")
        return measure(["sh", "-c", scp_script(trial, options, check=check)], watch=True)

    return entry


def scp_script(trial: Trial, options: tuple[str, ...] = (), *, check: bool) -> str:
    """Copies to all hosts in the background. Fails when one of them failed, or, with `check`, differs."""
    source = shlex.quote(str(trial.source))
    lines = [f"want=$(sha256sum <{source})"] if check else []
    for door in trial.to:
        lines.append(f'{{ {_copy(door, trial, options, check=check)}; }} & all="$all $!"')
    return "\n".join([*lines, 'for one in $all; do wait "$one" || exit; done', ""])


def _copy(door: Door, trial: Trial, options: tuple[str, ...], *, check: bool) -> str:
    login = [*openssh_options(door), *options]
    target = str(target_of(trial.folder, door.host))
    copy = shlex.join(["scp", "-q", *login, str(trial.source), f"{door.user}@{door.host}:{target}"])
    if not check:
        return copy
    ask = shlex.join(["ssh", "-n", *login, f"{door.user}@{door.host}", f"sha256sum <{shlex.quote(target)}"])
    return f'{copy} && [ "$({ask})" = "$want" ]'


# -- Ansible


def by_ansible(trial: Trial) -> Usage:
    """The program itself with as many forks as hosts, its own settings but for where its files lie.

    It sends through master connections that outlive it, and would be in no figure; see `leftovers`.
    """
    program = Path(sys.executable).with_name("ansible")
    if not program.exists():
        raise NotMeasuredError("ansible-core is not installed: scripts/bench brings it along")
    home = trial.folder.parent / "ansible"
    home.mkdir(exist_ok=True)
    inventory = home / "inventory.ini"
    inventory.write_text("".join(ansible_host(door) + "\n" for door in trial.to))
    copy = f"src={trial.source} dest={target_of(trial.folder, '{{ inventory_hostname }}')}"
    words = [sys.executable, "-I", leftovers.__file__, str(program), "all", "-i", str(inventory)]
    words += ["-f", str(len(trial.to)), "-m", "ansible.builtin.copy", "-a", copy]
    return measure(words, env=_ansible_environment(home), watch=True, cwd=home)


def ansible_host(door: Door) -> str:
    """A line of the inventory."""
    values = {
        "ansible_port": str(door.port),
        "ansible_user": door.user,
        "ansible_python_interpreter": sys.executable,
        "ansible_ssh_common_args": shlex.join(openssh_options(door)),
    }
    return " ".join([door.host, *(f"{name}={shlex.quote(value)}" for name, value in values.items())])


def _ansible_environment(home: Path) -> dict[str, str]:
    """All its files in memory, those on the hosts too; and patience where many log in at once."""
    mine = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    return {
        **mine,
        "HOME": str(home),
        "LC_ALL": "C.UTF-8",
        "SSH_AUTH_SOCK": "",
        "ANSIBLE_HOME": str(home),
        "ANSIBLE_REMOTE_TMP": str(home / "remote"),
        "ANSIBLE_TIMEOUT": f"{PATIENCE:.0f}",
    }
