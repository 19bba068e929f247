"""The scripts that prepare a host: in a real shell beside their models, over files in a folder.

Each story is told twice; status and files must be the same. Programs of the host are stand-ins on PATH.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from trio.testing import MockClock

from mk8s.distros.upstream import host_commands as commands
from mk8s.distros.upstream import swap_commands
from mk8s.distros.upstream.host import SYSCTLS
from mk8s.distros.upstream.model import HANDLED
from tests.mk8s.shells import SHELLS, Sh, shell_among
from transports.base import Command
from transports.simulated import SimulatedHost

pytestmark = pytest.mark.anyio

HOSTS = b"127.0.0.1 localhost\n127.0.1.1 srv-1 # no newline at the end"
FSTAB = b"""\
# swap is for the weak swap
/dev/sda1	/	ext4 defaults 0 1
/dev/sda2 none	swap sw 0 0
LABEL=s swap swap"""
SWAPS = b"Filename\tType\tSize\n/dev/sda2 partition 1 0 -2\n"
BLOCK = f"{commands.BEGIN}\n10.0.0.1 a\n{commands.END}"
LONGER = f"{commands.BEGIN}\n10.0.0.1 a\n10.0.0.2 b\n{commands.END}"
LOADS = """\
#!/bin/sh
while [ "$2" ]; do shift; done
[ "$1" = absent ] && { echo "not found"; exit 1; }
mkdir -p "${0%/*}/../sys/module/$1"
"""


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """Stand-ins: modprobe makes a module's folder, the others write down what they were told."""
    folder = tmp_path / "tools"
    folder.mkdir()
    noting = '#!/bin/sh\necho "${0##*/} $*" >>"${0%/*}/log"\n'
    listing = noting + '[ "$1" != list-units ] || cat "${0%/*}/units" 2>/dev/null || :\n'
    for name, text in {"modprobe": LOADS, "swapoff": noting, "swapon": noting, "systemctl": listing}.items():
        (folder / name).write_text(text)
        (folder / name).chmod(0o755)
    return folder


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tools: Path) -> Sh:
    return shell_among(tools, request.param)


def below(root: Path, command: Command) -> Command:
    """The same command with every path of the host in this folder."""
    moved = tuple(f"{root}{arg}" if arg.startswith("/") or arg == "" else arg for arg in command.args)
    return replace(command, args=moved)


BEFORE = PurePosixPath("/before")
VALUES, SWAP, MODULES = BEFORE / "sysctls", BEFORE / "swap", BEFORE / "modules"
CONF = PurePosixPath("/etc/sysctl.conf")
START = {
    "/etc/hosts": HOSTS,
    "/etc/fstab": FSTAB,
    "/etc/sysctl.conf": b"ours",
    "/proc/swaps": SWAPS,
    **{f"/proc/sys/{pair.partition('=')[0].replace('.', '/')}": b"0\n" for pair in SYSCTLS},
}
STORIES: dict[str, list[Command]] = {
    "names": [
        commands.has_no_entries(),
        commands.has_entries(BLOCK),
        commands.write_entries(BLOCK),
        commands.has_entries(BLOCK),
        commands.has_entries(LONGER),
        commands.write_entries(LONGER),
        commands.write_entries(LONGER),
        commands.has_entries(LONGER),
        commands.has_no_entries(),
        commands.drop_entries(),
        commands.has_no_entries(),
        commands.drop_entries(),
    ],
    "kernel parameters": [
        commands.is_restored(VALUES),
        commands.has_sysctls(SYSCTLS),
        commands.set_sysctls(SYSCTLS, VALUES),
        commands.set_sysctls(SYSCTLS, VALUES),
        commands.has_sysctls(SYSCTLS),
        commands.is_restored(VALUES, CONF),
        commands.restore_sysctls(CONF, VALUES),
        commands.has_sysctls(SYSCTLS),
        commands.is_restored(VALUES, CONF),
        commands.restore_sysctls(CONF, VALUES),
    ],
    "swap": [
        commands.is_restored(SWAP),
        swap_commands.is_swap_off(),
        swap_commands.disable_swap(SWAP),
        swap_commands.disable_swap(SWAP),
        commands.is_restored(SWAP),
        swap_commands.restore_swap(SWAP),
        commands.is_restored(SWAP),
        swap_commands.restore_swap(SWAP),
        swap_commands.is_swap_off(),
    ],
}


@pytest.mark.parametrize("name", STORIES)
async def test_scripts_and_models_tell_the_same_story(sh: Sh, tmp_path: Path, name: str) -> None:
    """After each command the status and every file are the same; at the end all is as it was."""
    host = SimulatedHost("a", "10.0.0.1")
    host.use(HANDLED)
    for path, content in START.items():
        (tmp_path / path[1:]).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path[1:]).write_bytes(content)
        host.disk.make_folder(PurePosixPath(path).parent)
        host.disk.write(PurePosixPath(path), content)
    start = files_in(tmp_path)

    for command in STORIES[name]:
        real, modelled = sh(below(tmp_path, command)), await host.perform(command)
        assert (command.description, real.status, real.stderr) == (command.description, modelled.status, b"")
        assert files_in(tmp_path) == modelled_files(host), command.description

    assert files_in(tmp_path) == {path: start[path] for path in start if not removed(path, name)}


def removed(path: str, story: str) -> bool:
    """Only the file that was ours is gone."""
    return path == str(CONF) and story == "kernel parameters"


def files_in(root: Path) -> dict[str, bytes]:
    """Swap itself is the kernel's: here nobody changes /proc/swaps."""
    found = {f"/{path.relative_to(root)}": path for path in root.rglob("*") if path.is_file()}
    kept = {name: path for name, path in found.items() if not name.startswith(("/tools", "/proc/swaps"))}
    return {name: path.read_bytes() for name, path in kept.items()}


def modelled_files(host: SimulatedHost) -> dict[str, bytes]:
    return {str(path): file.content or b"" for path, file in host.files.items() if str(path) != "/proc/swaps"}


def run_all(sh: Sh, root: Path, told: Sequence[Command]) -> list[int]:
    return [sh(below(root, command)).status for command in told]


def test_the_marks_guard_what_is_not_ours(sh: Sh, tmp_path: Path) -> None:
    """One mark without the other: nobody knows where ours ends, so nothing is cut."""
    (tmp_path / "etc").mkdir()
    broken = f"{commands.BEGIN}\n10.0.0.1 a\n127.0.0.1 localhost\n"
    (tmp_path / "etc/hosts").write_text(broken)

    assert run_all(sh, tmp_path, [commands.write_entries(BLOCK), commands.drop_entries()]) == [65, 65]
    assert (tmp_path / "etc/hosts").read_text() == broken


def test_the_mode_of_etc_hosts_stays(sh: Sh, tmp_path: Path) -> None:
    hosts = tmp_path / "etc/hosts"
    hosts.parent.mkdir()
    hosts.write_bytes(HOSTS)
    hosts.chmod(0o640)
    run_all(sh, tmp_path, [commands.write_entries(BLOCK)])

    assert hosts.stat().st_mode & 0o777 == 0o640
    assert [path.name for path in hosts.parent.iterdir()] == ["hosts"]


def test_a_value_that_does_not_take_is_named(sh: Sh, tmp_path: Path) -> None:
    """The kernel may refuse silently, so each value is looked at afterwards."""
    path = tmp_path / "proc/sys/net/ipv4/ip_forward"
    path.parent.mkdir(parents=True)
    path.symlink_to("/dev/null")
    outcome = sh(below(tmp_path, commands.set_sysctls(["net.ipv4.ip_forward=1"], VALUES)))

    assert (outcome.status, outcome.complaint) == (65, "mk8s: net.ipv4.ip_forward stays , and should be 1")


def test_modules_are_loaded_noted_and_unloaded(sh: Sh, tmp_path: Path) -> None:
    """Those that were there before are not ours to unload."""
    (tmp_path / "sys/module/old").mkdir(parents=True)
    (tmp_path / "conf").write_text("old\nnew\n")
    names = ("old", "new")
    told = [commands.has_modules(names), commands.load_modules(names, MODULES), commands.has_modules(names)]

    assert run_all(sh, tmp_path, told) == [1, 0, 0]
    assert (tmp_path / "before/modules").read_text() == "new\n"
    assert run_all(sh, tmp_path, [commands.unload_modules(PurePosixPath("/conf"), MODULES)]) == [0]
    assert not (tmp_path / "conf").exists()
    assert not (tmp_path / "before/modules").exists()


@pytest.mark.parametrize(
    ("name", "evidence"),
    [
        ("br_netfilter", "proc/sys/net/bridge/bridge-nf-call-iptables"),
        ("nf_conntrack", "proc/sys/net/netfilter/nf_conntrack_max"),
        ("overlay", "proc/filesystems"),
    ],
)
def test_a_module_that_is_built_in_is_seen_by_what_it_brings(
    sh: Sh, tmp_path: Path, name: str, evidence: str
) -> None:
    """A kernel without modules has no list of them."""
    (tmp_path / evidence).parent.mkdir(parents=True)
    (tmp_path / evidence).write_text("nodev\toverlay\n")

    assert run_all(sh, tmp_path, [commands.has_modules([name])]) == [0]


def test_a_module_that_the_kernel_lacks_is_named_with_modprobes_words(sh: Sh, tmp_path: Path) -> None:
    outcome = sh(below(tmp_path, commands.load_modules(["absent"], MODULES)))

    assert outcome.status == 69
    assert outcome.complaint == "mk8s: the kernel has no absent, neither as a module nor built in: not found"


def test_swap_that_fstab_does_not_know_is_masked_and_comes_back(sh: Sh, tools: Path, tmp_path: Path) -> None:
    """Compressed memory and partition tables make units of their own."""
    (tools / "units").write_text("dev-zram0.swap loaded active active x\nold.swap not-found inactive dead\n")
    told = [swap_commands.disable_swap(SWAP), swap_commands.restore_swap(SWAP)]

    assert run_all(sh, tmp_path, told) == [0, 0]
    log = (tools / "log").read_text().splitlines()
    assert [line for line in log if "mask" in line] == [
        "systemctl mask --quiet -- dev-zram0.swap",
        "systemctl unmask --quiet -- dev-zram0.swap",
    ]
    assert "swapoff -a" in log


def test_a_folder_of_notes_goes_with_the_last_note(sh: Sh, tmp_path: Path) -> None:
    note = tmp_path / "before/containerd.toml"
    note.parent.mkdir()
    note.touch()
    told = [commands.is_tidy(BEFORE), commands.tidy(BEFORE)]

    assert run_all(sh, tmp_path, told) == [0, 0]
    note.unlink()
    assert run_all(sh, tmp_path, [*told, commands.is_tidy(BEFORE)]) == [1, 0, 0]
    assert not note.parent.exists()
