"""Who takes part in contests: mk8s as a run does it, and its peers, each as its documentation suggests.

`scp` checks nothing after it has sent, so it can be had bare and with a `sha256sum` afterwards; asyncssh and
pyinfra are followed by one too; Ansible compares a sha1 itself. The program of Ansible does no commands.
It needs Python on its hosts; they are sshds of this machine, which has it.

Begin reading at `by_mk8s`.
"""

from __future__ import annotations

import asyncio
import os
import shlex
import shutil
import sys
from pathlib import Path

import anyio
import trio

from benchmarks import leftovers
from benchmarks.contenders import (
    AT_ONCE,
    PATIENCE,
    asyncssh_options,
    door_of,
    hashed,
    openssh_options,
    refuse_other,
    roads,
)
from benchmarks.contest import NAME, Entry, Trial, in_process, target_of
from benchmarks.measuring import NotMeasuredError, Usage, measure
from benchmarks.servers import Door
from mk8s.executor import Executor
from mk8s.steps import Upload
from transports.base import Command, digest_of_file
from transports.ssh import SSHTransport

__all__ = ["by_ansible", "by_asyncssh", "by_mk8s", "by_pyinfra", "by_scp"]


# -- mk8s


def with_mk8s(hosts: list[str], source: str, folder: str, commands: int) -> str:
    """In a process of its own: the executor of a run, with as many uploads at once as a run allows.

    It looks what is there and whether there is room, appends pieces that are cut once for all hosts, verifies
    the whole from the host's disk and moves it to its place.
    """

    async def main() -> None:
        file = hashed(Path(source))
        turn = anyio.CapacityLimiter(AT_ONCE)
        ways = roads(hosts)
        executor = Executor(ways)

        async def serve(name: str, road: SSHTransport) -> None:
            target = target_of(folder, name)
            async with turn:
                await executor.run_steps(name, [Upload("send", file, target)])
            for number in range(commands):
                await _ask(road, f"echo {number}; test -f {target}", str(number))
            await road.close()

        async with anyio.create_task_group() as tasks:
            for name, road in ways.items():
                tasks.start_soon(serve, name, road)

    trio.run(main)
    return "done"


async def _ask(road: SSHTransport, script: str, expected: str) -> None:
    outcome = await road.run(Command(operation="bench", description=script, script=script))
    if not outcome.ok or outcome.text != expected:
        raise NotMeasuredError(f"{script}: {outcome}")


by_mk8s = in_process(with_mk8s)


# -- asyncssh


def with_asyncssh(hosts: list[str], source: str, folder: str, commands: int) -> str:
    """In a process of its own."""
    import asyncssh

    digest = digest_of_file(Path(source))

    async def serve(door: Door) -> None:
        target = str(target_of(folder, door.host))
        async with asyncssh.connect(**asyncssh_options(door)) as connection:
            async with connection.start_sftp_client() as sftp:
                await sftp.put(source, target)
            refuse_other(digest, str((await connection.run(f"sha256sum {target}", check=True)).stdout))
            for number in range(commands):
                done = await connection.run(f"echo {number}; test -f {target}", check=True)
                refuse_other(str(number), str(done.stdout))

    async def main() -> None:
        await asyncio.gather(*(serve(door_of(text)) for text in hosts))

    asyncio.run(main())
    return "done"


by_asyncssh = in_process(with_asyncssh)


# -- pyinfra

INVENTORY = "hosts = {hosts!r}\n"
DEPLOY = """\
from pyinfra import host
from pyinfra.operations import files, server

target = f"{folder}/{{host.name}}/{name}"
files.put(name="upload", src={source!r}, dest=target)
server.shell(name="check", commands=[f"echo '{digest}  {{target}}' | sha256sum -c"])
for number in range({commands}):
    server.shell(name=f"command {{number}}", commands=[f"echo {{number}}; test -f {{target}}"])
"""


def by_pyinfra(trial: Trial) -> Usage:
    """The program itself, with an inventory and a deploy; it looks for changes first, as it always does."""
    home = trial.folder.parent / "pyinfra"
    home.mkdir(exist_ok=True)
    (home / "inventory.py").write_text(INVENTORY.format(hosts=[_pyinfra_host(door) for door in trial.to]))
    deploy = DEPLOY.format(
        folder=trial.folder,
        name=NAME,
        source=str(trial.source),
        digest=digest_of_file(trial.source),
        commands=trial.commands,
    )
    (home / "deploy.py").write_text(deploy)
    at_once = str(len(trial.to))
    words = [sys.executable, "-m", "pyinfra", "-y", "--parallel", at_once, "inventory.py", "deploy.py"]
    env = {**os.environ, "HOME": str(home), "SSH_AUTH_SOCK": "", "PYTHONPATH": os.pathsep.join(sys.path)}
    return measure(words, env=env, watch=True, cwd=home)


def _pyinfra_host(door: Door) -> tuple[str, dict[str, object]]:
    return door.host, {
        "ssh_port": door.port,
        "ssh_user": door.user,
        "ssh_key": door.key,
        "ssh_known_hosts_file": door.known_hosts,
    }


# -- scp

# Where no master connection listens, `-S` does nothing. A master is waited for, so that its CPU counts.
SCP = """\
set -u
ask() {  # command ssh-words
    command=$1
    shift
    ssh -n "$@" "$command"
}
leave() {  # asked, for it can miss a signal
    ssh -n -F none -q -S "$socket" -O exit "$at" 2>/dev/null || kill "$master"
    wait "$master"
}
serve() {  # target user@host socket options
    target=$1 at=$2 socket=$3 master=
    shift 3
    scp -q "$@" "$source" "$at:$target" || return
    [ -n "$want" ] || return 0
    trap '[ -z "$master" ] || leave' EXIT
    if [ "$commands" -gt 0 ]; then
        ssh -n "$@" -M -N -S "$socket" "$at" & master=$!
        while [ ! -S "$socket" ]; do kill -0 "$master" && sleep 0.01 || return; done
    fi
    set -- "$@" -S "$socket" "$at"
    [ "$(ask "sha256sum <$target" "$@")" = "$want" ] || return
    number=0
    while [ "$number" -lt "$commands" ]; do
        [ "$(ask "echo $number; test -f $target" "$@")" = "$number" ] || return
        number=$((number + 1))
    done
}
"""


def by_scp(*options: str, check: bool) -> Entry:
    """Both programs of OpenSSH for each host, all at once, by a shell that waits for them.

    Without `check` nothing comes after the copy. Commands travel over one more connection to each host.
    """

    def entry(trial: Trial) -> Usage:
        if not shutil.which("scp"):
            raise NotMeasuredError("scp is not installed (Debian: apt install openssh-client)")
        home = trial.folder.parent / "scp"
        home.mkdir(exist_ok=True)
        return measure(["sh", "-c", scp_script(trial, home, options, check=check)], watch=True)

    return entry


def scp_script(trial: Trial, home: Path, options: tuple[str, ...] = (), *, check: bool) -> str:
    """Fails when one host failed or, with `check`, has another file. `home` is for sockets."""
    lines = [SCP, f"commands={trial.commands} source={shlex.quote(str(trial.source))} all="]
    lines.append('want=$(sha256sum <"$source")' if check else "want=")
    for door in trial.to:
        where = [str(target_of(trial.folder, door.host)), f"{door.user}@{door.host}", str(home / door.host)]
        words = shlex.join(["serve", *where, *openssh_options(door), *options])
        lines.append(f'{words} & all="$all $!"')
    return "\n".join([*lines, 'for one in $all; do wait "$one" || exit; done', ""])


# -- Ansible


# `ssh_args` of its documentation, but for the `-C` at their beginning: what is sent here cannot be compressed
NOT_COMPRESSED = "-o ControlMaster=auto -o ControlPersist=60s"


def by_ansible(**settings: str) -> Entry:
    """The program with as many forks as hosts, its own settings but for these and where its files lie.

    It sends through master connections that outlive it, and would be in no figure; see `leftovers`.
    """

    def entry(trial: Trial) -> Usage:
        program = Path(sys.executable).with_name("ansible")
        if not program.exists():
            raise NotMeasuredError("ansible-core is not installed: scripts/bench brings it along")
        return _ansible(str(program), trial, settings)

    return entry


def _ansible(program: str, trial: Trial, settings: dict[str, str]) -> Usage:
    home = trial.folder.parent / "ansible"
    home.mkdir(exist_ok=True)
    inventory = home / "inventory.ini"
    inventory.write_text("".join(ansible_host(door) + "\n" for door in trial.to))
    copy = f"src={trial.source} dest={target_of(trial.folder, '{{ inventory_hostname }}')}"
    words = [sys.executable, "-I", leftovers.__file__, program, "all", "-i", str(inventory)]
    words += ["-f", str(len(trial.to)), "-m", "ansible.builtin.copy", "-a", copy]
    return measure(words, env=_ansible_environment(home, settings), watch=True, cwd=home)


def ansible_host(door: Door) -> str:
    """A line of the inventory."""
    values = {
        "ansible_port": str(door.port),
        "ansible_user": door.user,
        "ansible_python_interpreter": sys.executable,
        "ansible_ssh_common_args": shlex.join(openssh_options(door)),
    }
    return " ".join([door.host, *(f"{name}={shlex.quote(value)}" for name, value in values.items())])


def _ansible_environment(home: Path, settings: dict[str, str]) -> dict[str, str]:
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
        **{f"ANSIBLE_{name.upper()}": value for name, value in settings.items()},
    }
