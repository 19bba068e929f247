"""The question in real shells on this machine, how its answer is read, and its model."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import time
from contextlib import suppress
from ipaddress import ip_interface
from pathlib import Path, PurePosixPath
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from trio.testing import MockClock

from mk8s.distros.base import Requirements
from mk8s.preflight.found import DropIn, Moment, Mount, Own, Setting, Swap, Unit
from mk8s.preflight.gathering import gather
from mk8s.preflight.modelled import GATHER_HANDLERS
from mk8s.preflight.reading import read
from transports.base import Command
from transports.simulated import SimulatedHost

SHELLS = [shell for shell in ("dash", "bash", "busybox") if shutil.which(shell)]
WHOLE = "hostname=n1\nclock=5.0\n"


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, Any]]:
    return "trio", {"clock": MockClock(autojump_threshold=0)}


@pytest.fixture(params=SHELLS)
def shell(request: pytest.FixtureRequest) -> list[str]:
    return ["busybox", "sh"] if request.param == "busybox" else [request.param]


def run_for_real(shell: list[str], command: Command) -> str:
    words = [*shell, "-c", command.script, "sh", *command.args]
    done = subprocess.run(
        words, capture_output=True, check=True, text=True, env={**os.environ, "LC_ALL": "C"}
    )
    assert done.stderr == ""
    return done.stdout


def test_this_machine_is_seen_as_it_is(shell: list[str]) -> None:
    """One round trip, no complaint, and the numbers are those that Python sees."""
    before = time.time()
    found = read(run_for_real(shell, gather(Requirements())), before, time.time())
    assert (found.hostname, found.cpus) == (os.uname().nodename, len(os.sched_getaffinity(0)))
    assert found.moment is not None
    assert found.moment.skew == 0.0
    assert (found.free or 0) > 0
    assert found.memory == os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")


def speaks_ipv6() -> bool:
    """The kernel may be made without it, or told to leave it."""
    with suppress(OSError), socket.socket(socket.AF_INET6) as made:
        made.bind(("::1", 0))
        return True
    return False


@pytest.mark.parametrize("address", [("127.0.0.1", socket.AF_INET), ("::1", socket.AF_INET6)])
def test_a_port_that_someone_listens_on_is_seen(shell: list[str], address: tuple[str, int]) -> None:
    """On any address, by either protocol; a connection is no listener."""
    host, family = address
    if family == socket.AF_INET6 and not speaks_ipv6():
        pytest.skip("this machine has no IPv6")
    with socket.socket(family) as listener, socket.socket(family) as client:
        listener.bind((host, 0))
        listener.listen()
        client.connect(listener.getsockname())
        found = read(run_for_real(shell, gather(Requirements())), 0.0, 0.0)
        assert listener.getsockname()[1] in found.listening
        assert client.getsockname()[1] not in found.listening


def test_only_what_is_there_is_left_over(shell: list[str], tmp_path: Path) -> None:
    """Files, links to nowhere and folders with a file somewhere below; not empty folders."""
    (tmp_path / "a file").write_text("x")
    (tmp_path / "link").symlink_to("nowhere")
    (tmp_path / "full" / "deep" / "er").mkdir(parents=True)
    (tmp_path / "full" / "deep" / ".hidden").write_text("x")
    (tmp_path / "empty" / "below").mkdir(parents=True)
    asked = [str(tmp_path / name) for name in ("a file", "link", "full", "empty", "$(touch x)", "absent")]
    found = read(run_for_real(shell, gather(Requirements(leftovers=tuple(asked)))), 0.0, 0.0)
    assert [Path(path).name for path in found.leftovers] == ["a file", "link", "full"]


def test_missing_modules_and_programs_are_named(shell: list[str]) -> None:
    """A filesystem that the kernel lists needs no module; a module's dashes are underscores."""
    wants = Requirements(modules=("proc", "no-such-module"), programs=("sh", "no-such-program"))
    found = read(run_for_real(shell, gather(wants)), 0.0, 0.0)
    assert (found.missing_modules, found.missing_programs) == (("no_such_module",), ("no-such-program",))


def test_drop_ins_are_told_by_their_keys_alone(shell: list[str], tmp_path: Path) -> None:
    """Their values may be secrets: a checksum tells them apart."""
    (tmp_path / "50-a.yaml").write_text("token: hush\n# a: comment\nnode-label:\n  - inner: x\ncni: none")
    (tmp_path / "60-b.yaml").write_text("token: hash\n")
    (tmp_path / "ignored.txt").write_text("token: x\n")
    said = run_for_real(shell, gather(Requirements(config_dir=str(tmp_path))))
    found = read(said, 0.0, 0.0).drop_ins
    assert "hush" not in said
    assert [(Path(each.file).name, each.key) for each in found] == [
        ("50-a.yaml", "token"), ("50-a.yaml", "node-label"), ("60-b.yaml", "token"),
    ]  # fmt: skip
    assert found[0].sum != found[2].sum


def test_users_that_are_not_there_are_named(shell: list[str]) -> None:
    found = read(run_for_real(shell, gather(Requirements(users=("root", "no-such-user")))), 0.0, 0.0)
    assert found.missing_users == ("no-such-user",)


def test_kernel_parameters_are_told_with_what_may_be_done_to_them(shell: list[str]) -> None:
    """Where the host is no container, or root in it, they may be set."""
    wanted = Requirements(sysctls=("kernel.ostype=Linux", "no.such=1"))
    found = read(run_for_real(shell, gather(wanted)), 0.0, 0.0).settings
    assert found["kernel.ostype"] == Setting("kernel.ostype", "Linux", settable=False)
    assert "no.such" not in found


def test_a_udp_port_that_someone_has_is_seen(shell: list[str]) -> None:
    with socket.socket(type=socket.SOCK_DGRAM) as holder:
        holder.bind(("127.0.0.1", 0))
        found = read(run_for_real(shell, gather(Requirements())), 0.0, 0.0)
        assert holder.getsockname()[1] in found.listening_udp


def test_only_mounts_above_what_is_asked_are_told(shell: list[str]) -> None:
    found = read(run_for_real(shell, gather(Requirements(data_dir="/proc/self"))), 0.0, 0.0)
    assert {str(mount.path) for mount in found.mounts} >= {"/", "/proc"}
    assert all(PurePosixPath("/proc/self").is_relative_to(mount.path) for mount in found.mounts)


def test_an_answer_is_read_line_by_line() -> None:
    """Keys may repeat; sizes become bytes; letters of MACs and UUIDs become small."""
    found = read(
        "Welcome to n1 = the best\nhostname=n1\nmachine=aarch64\nsystemd=no\nmachine_id=abc\n"
        "product_uuid=AB-1\nmac=02:00:AA:00:00:01\ncpus=2\nmemory_kib=3\nfree_kib=4\ncgroup=tmpfs\n"
        "swap=1024 /swap file\nlisten=0100007F:192B\nlisten=00000000000000000000000000000000:0016\n"
        'socket=LISTEN 0 4096 *:6443 *:* users:(("kube-apiserver",pid=7,fd=3))\nmount=/var rw,noexec\n'
        "nameserver=127.0.0.53\nresolved=yes\nroute=eth0\nfirewall=ufw\nselinux=1\napparmor=Y\n"
        "leftover=/etc/kubernetes\nno_module=overlay\nno_program=ip\nno_user=etcd\nno_package=rke2-selinux\n"
        "system=Linux\nkernel=6.1.0\nmtu=1400\ncontroller=cpu\ncontroller=memory\ninotify_watches=12\n"
        "unit=firewalld.service active enabled\nunit=nm-cloud-setup.timer inactive -\nlisten_udp=0:2118\n"
        "sysctl=net.ipv4.ip_forward no 0\nsysctl_file=/etc/sysctl.conf net.ipv4.ip_forward = 0\n"
        "drop_in=12-3 cni /etc/x.yaml\nproxy=proxy:3128 /etc/environment\naddress=10.0.0.1/24 eth0\n"
        "address=fe80::1/64 eth0\nchain=:KUBE-FORWARD\ninterface=cni0\nclock=5.25\n",
        5.0,
        5.5,
    )
    assert (found.arch, found.systemd, found.product_uuid, found.mac) == (
        "arm64", False, "ab-1", "02:00:aa:00:00:01",
    )  # fmt: skip
    assert (found.cpus, found.memory, found.free) == (2, 3072, 4096)
    assert found.swaps == (Swap("/swap file", 1 << 20),)
    assert found.listening == {6443, 22}
    assert found.listeners == ((6443, "kube-apiserver (pid 7)"),)
    assert [(str(mount.path), mount.options) for mount in found.mounts] == [
        ("/var", frozenset({"rw", "noexec"}))
    ]
    assert found.moment == Moment(5.0, 5.5, 5.25)
    assert (found.selinux, found.apparmor_without_parser, found.resolved) == (True, True, True)
    assert (found.missing_users, found.missing_packages) == (("etcd",), ("rke2-selinux",))
    assert (found.mtu, found.controllers, found.inotify_watches) == (1400, frozenset({"cpu", "memory"}), 12)
    assert found.units["nm-cloud-setup.timer"] == Unit("nm-cloud-setup.timer", "inactive", "-")
    assert (found.firewalls, found.listening_udp) == (("firewalld", "ufw"), frozenset({8472}))
    assert found.settings == {"net.ipv4.ip_forward": Setting("net.ipv4.ip_forward", "0", settable=False)}
    assert found.setting_files == (("/etc/sysctl.conf", "net.ipv4.ip_forward = 0"),)
    assert found.drop_ins == (DropIn("/etc/x.yaml", "cni", "12-3"),)
    assert found.proxies == (("proxy:3128", "/etc/environment"),)
    assert found.owned[0] == Own("eth0", ip_interface("10.0.0.1/24"))
    assert (found.addresses, found.main_address) == (("10.0.0.1", "fe80::1"), "10.0.0.1")


@pytest.mark.parametrize(
    "line",
    [
        "cpus=many", "memory_kib=-1", "listen=zz", "listen=", "swap=x", "swap=", "socket=LISTEN",
        "socket=LISTEN 0 128 0.0.0.0:22 0.0.0.0:*", "mac=00:00:00:00:00:00", "machine_id=",
        "unit=x", "sysctl=a b", "sysctl_file=x", "drop_in=x y", "address=many eth0", "mtu=x", "proxy=", "=x",
        "\0\x1b[2J",
    ],
)  # fmt: skip
def test_a_line_that_makes_no_sense_says_nothing(line: str) -> None:
    """It is passed over: a host that tells nonsense of its processors has not too few of them."""
    assert read(f"hostname=n1\n{line}\nclock=5.0\n", 5.0, 5.0) == read(WHOLE, 5.0, 5.0)


def test_a_mount_without_options_is_sound() -> None:
    assert read(f"mount=/\n{WHOLE}", 0.0, 0.0).mounts == (Mount(PurePosixPath("/"), frozenset({""})),)


def test_a_clock_without_a_fraction_is_coarse() -> None:
    """Some programs print the letter N, which they do not know."""
    assert read("hostname=n1\nclock=5.%N\n", 5.5, 5.6).moment == Moment(5.5, 5.6, 5.0, coarse=True)
    assert read("hostname=n1\nclock=soon\n", 5.5, 5.6).moment is None


@pytest.mark.parametrize(
    ("text", "words"), [("", "lacks the hostname"), ("hostname=n1\n", "lacks its end"), ("a\nb", "hostname")]
)
def test_an_answer_that_was_cut_is_none(text: str, words: str) -> None:
    """Otherwise a host without answers would pass every check."""
    with pytest.raises(ValueError, match=words):
        read(text, 0.0, 0.0)


@pytest.mark.anyio
async def test_a_modelled_host_answers_the_same_question() -> None:
    """So that rehearsals can ask it."""
    host = SimulatedHost("n1", "10.0.0.1", arch="arm64")
    host.use(GATHER_HANDLERS)
    host.disk.make_folder(PurePosixPath("/etc/kubernetes/pki"))
    host.disk.write(PurePosixPath("/etc/kubernetes/pki/ca.crt"), b"x")
    wants = Requirements(leftovers=("/etc/kubernetes", "/var/lib/etcd"), modules=("overlay",))
    found = read((await host.perform(gather(wants))).text, 0.0, 0.0)
    assert (found.hostname, found.arch, found.machine_id) == ("n1", "arm64", host.machine_id)
    assert (found.leftovers, found.missing_modules) == (("/etc/kubernetes", "/etc/kubernetes/pki"), ())


@given(st.text())
def test_whatever_a_host_says_is_read_or_refused(text: str) -> None:
    """Nothing but ValueError comes out, which tells the node as not asked."""
    with suppress(ValueError):
        read(
            f"{text}\nhostname=n1\nswap={text}\nlisten={text}\nsocket={text}\nmount={text}\nclock={text}",
            0.0,
            0.0,
        )
