"""The driver's scripts in a real shell: what they install, link, convert and remove."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from mk8s.distros.k3s import commands, scripts
from mk8s.distros.k3s.engine import K3S
from mk8s.distros.rancher import commands as common
from tests.mk8s.distros.situations import make_node
from tests.mk8s.shells import SHELLS, Sh, file_of, put_tool, shell_among
from transports.base import Command, File, Outcome

LOGGING = '#!/bin/sh\necho "${0##*/} $*" >> "${0%/*}/log"\n'
INSTALLER = """\
#!/bin/sh
env | grep -E '^(INSTALL_)?K3S_|PROXY' | sort > "$INSTALL_K3S_BIN_DIR/asked"
for name in k3s-killall.sh k3s-uninstall.sh unit; do echo "$1" > "$INSTALL_K3S_BIN_DIR/$name"; done
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of stand-ins for the host's programs; what they are told is written to `log`."""
    folder = tmp_path / "tools"
    folder.mkdir()
    (folder / "log").touch()
    for name in ("systemctl", "ip", "umount", "iptables-restore"):
        put_tool(folder, name, LOGGING)
    return folder


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tools: Path) -> Sh:
    return shell_among(tools, request.param)


@pytest.fixture
def program(tmp_path: Path) -> File:
    path = tmp_path / "staged-k3s"
    path.write_text('#!/bin/sh\necho "k3s version v1.33.4+k3s1 (abc)"\n')
    return file_of(path)


def test_the_program_is_put_in_place_once_and_recognised_afterwards(
    sh: Sh, program: File, tmp_path: Path
) -> None:
    target = PurePosixPath(tmp_path / "bin/k3s")
    command = commands.install_program(program, PurePosixPath(program.path), target)
    check = commands.has_program(program, target)

    assert sh(check).status != 0
    assert sh(command) == Outcome(status=0)
    assert sh(check).status == 0
    assert sh(command) == Outcome(status=0)
    assert [path.name for path in (tmp_path / "bin").iterdir()] == ["k3s"]


def test_a_damaged_program_never_gets_its_name(sh: Sh, program: File, tmp_path: Path) -> None:
    program.path.write_text("something else")
    target = PurePosixPath(tmp_path / "bin/k3s")

    assert sh(commands.install_program(program, PurePosixPath(program.path), target)).status == 65
    assert not (tmp_path / "bin/k3s").exists()


def test_the_program_says_its_version(sh: Sh, program: File, tmp_path: Path) -> None:
    program.path.chmod(0o755)
    absent, there = PurePosixPath(tmp_path / "none"), PurePosixPath(program.path)

    assert sh(common.ask_version(K3S, [absent, there])).text == "k3s version v1.33.4+k3s1 (abc)"
    assert sh(common.ask_version(K3S, [absent])).text == "absent"


def test_names_are_linked_only_where_they_are_free(sh: Sh, tools: Path, tmp_path: Path) -> None:
    """A kubectl that the host has stays the one that is run."""
    folder = tmp_path / "bin"
    folder.mkdir()
    put_tool(tools, "kubectl", LOGGING)
    (folder / "ctr").write_text("mine")
    link, check = commands.link(PurePosixPath(folder)), commands.has_links(PurePosixPath(folder))

    assert [sh(command).status for command in (check, link, check, link)] == [1, 0, 0, 0]
    assert (folder / "crictl").readlink() == Path("k3s")
    assert (folder / "ctr").read_text() == "mine"
    assert not (folder / "kubectl").exists()


def by_script(tmp_path: Path, program: File) -> tuple[Command, Command]:
    folder, script = tmp_path / "bin", tmp_path / "install.sh"
    folder.mkdir()
    script.write_text(INSTALLER)
    target = folder / "k3s"
    target.write_bytes(program.path.read_bytes())
    hashes = {PurePosixPath(path): file_of(path).sha256 for path in (script, target)}
    record = PurePosixPath(tmp_path / "record")
    installed = [
        PurePosixPath(folder / name) for name in ("k3s", "k3s-killall.sh", "k3s-uninstall.sh", "unit")
    ]
    command = commands.install_by_script("agent", PurePosixPath(script), hashes, record, installed)
    return command, common.has_install(K3S, record)


def test_install_sh_runs_offline_starts_nothing_and_is_recognised(
    sh: Sh, program: File, tools: Path, tmp_path: Path
) -> None:
    command, check = by_script(tmp_path, program)

    assert sh(check).status != 0
    assert sh(command) == Outcome(status=0)
    assert sh(check).status == 0
    assert (tmp_path / "bin/asked").read_text().split() == [
        f"INSTALL_K3S_BIN_DIR={tmp_path}/bin",
        "INSTALL_K3S_SKIP_DOWNLOAD=true",
        "INSTALL_K3S_SKIP_ENABLE=true",
        "INSTALL_K3S_SKIP_SELINUX_RPM=true",
        "INSTALL_K3S_SKIP_START=true",
    ]
    assert (tmp_path / "bin/unit").read_text() == "agent\n"
    assert "systemctl daemon-reload" in (tools / "log").read_text()


def test_an_install_sh_that_is_not_what_was_sent_is_not_run(sh: Sh, program: File, tmp_path: Path) -> None:
    """The script itself verifies nothing when it does not download."""
    command, _ = by_script(tmp_path, program)
    (tmp_path / "install.sh").write_text(f"touch {tmp_path}/ran")

    assert sh(command).status == 65
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize(
    ("state", "etcd", "status"), [(False, False, 0), (True, False, 1), (True, True, 0), (False, True, 0)]
)
def test_a_state_in_sqlite_is_recognised(
    sh: Sh, tmp_path: Path, state: bool, etcd: bool, status: int
) -> None:
    if state:
        (tmp_path / "state.db").touch()
    if etcd:
        (tmp_path / "etcd").mkdir()

    assert sh(commands.is_converted(PurePosixPath(tmp_path))).status == status


def test_the_conversion_writes_the_config_before_the_new_start(tools: Path, tmp_path: Path) -> None:
    """As a file of root's alone. stdin has the config, for it holds the token."""
    config = tmp_path / "config.yaml"
    command = commands.convert("k3s.service", PurePosixPath(config), b"cluster-init: true\n")
    here = replace(
        command, script=f"exec <{tmp_path}/sent\n{command.script}".replace("/run/mk8s", str(tmp_path))
    )
    (tmp_path / "sent").write_bytes(command.stdin or b"")

    assert shell_among(tools, SHELLS[0])(here).status == 0
    assert config.read_text() == "cluster-init: true\n"
    assert config.stat().st_mode & 0o777 == 0o600
    assert "systemctl restart --no-block k3s.service" in (tools / "log").read_text()


@pytest.mark.parametrize("shell", SHELLS)
def test_a_loaded_unit_is_recognised(shell: str, tools: Path) -> None:
    answers = 'case $3 in LoadState) echo "LoadState=loaded";; *) echo "NeedDaemonReload=%s";; esac\n'
    sh = shell_among(tools, shell)
    for said, status in (("no", 0), ("yes", 1)):
        put_tool(tools, "systemctl", "#!/bin/sh\n" + answers % said)
        assert sh(commands.is_loaded("k3s.service")).status == status


# The scripts that stay on a node, with every path below a folder of the test's


def inside(root: Path, script: bytes) -> Command:
    text = re.sub(r"(?<![\w.])/(etc|run|var|opt|usr|proc)/", rf"{root}/\1/", script.decode())
    return Command(operation="test", description="", script=text)


@pytest.fixture
def host(tmp_path: Path, tools: Path) -> Path:
    """What K3s leaves on a host, and what is not its own."""
    root = tmp_path / "host"
    for path in (
        *("etc/rancher/k3s/config.yaml", "etc/rancher/node/password", "etc/systemd/system/k3s.service"),
        *("var/lib/rancher/k3s/server/token", "var/lib/kubelet/pods/x", "var/lib/cni/y", "run/k3s/z"),
        *("usr/local/bin/k3s", "usr/local/bin/helm", "etc/default/k3s", "opt/cni/bin/a"),
    ):
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).touch()
    (root / "usr/local/bin/kubectl").symlink_to("k3s")
    (root / "proc/self").mkdir(parents=True)
    (root / "proc/self/mounts").write_text(f"tmpfs {root}/run/k3s/shm tmpfs rw 0 0\nproc /proc proc rw 0 0\n")
    put_tool(tools, "id", "#!/bin/sh\necho 0\n")
    put_tool(tools, "ps", f"#!/bin/sh\necho ' 4242 sleep {root}'\n")
    put_tool(tools, "iptables-save", "#!/bin/sh\necho '-A KUBE-X'\necho '-A MINE'\n")
    return root


def uninstaller(root: Path) -> Command:
    unit, bin_dir = PurePosixPath("/etc/systemd/system/k3s.service"), PurePosixPath("/usr/local/bin")
    text = scripts.uninstall(unit, bin_dir, "/var/lib/rancher/k3s", "k3s-uninstall.sh")
    return inside(root, text)


def test_killall_unmounts_and_cleans_and_leaves_the_data(sh: Sh, host: Path, tools: Path) -> None:
    assert sh(inside(host, scripts.killall("/var/lib/rancher/k3s"))).status == 0

    log = (tools / "log").read_text()
    assert "systemctl stop k3s-agent" in log
    assert f"umount -f {host}/run/k3s/shm" in log
    assert "ip link delete flannel.1" in log
    assert (host / "var/lib/rancher/k3s/server/token").exists()
    assert not (host / "var/lib/cni").exists()


def test_uninstall_removes_all_that_is_k3s_and_nothing_else(sh: Sh, host: Path) -> None:
    assert sh(uninstaller(host)).status == 0

    left = {str(path.relative_to(host)) for path in host.rglob("*") if not path.is_dir()}
    assert left == {"usr/local/bin/helm", "var/lib/cni/y", "proc/self/mounts"}


def test_a_data_folder_of_any_name_stays_a_name(sh: Sh, host: Path) -> None:
    """It is the user's word, and what a manifest says never becomes code."""
    name = f"/data/$(touch {host}/pwned)`touch {host}/pwned`'x"
    sh(inside(host, scripts.killall(name)))
    sh(inside(host, scripts.uninstall(PurePosixPath("/u/k3s.service"), PurePosixPath("/b"), name, "u.sh")))

    assert not (host / "pwned").exists()


def test_uninstall_keeps_the_program_while_another_service_uses_it(sh: Sh, host: Path) -> None:
    (host / "etc/systemd/system/k3s-agent.service").touch()

    assert sh(uninstaller(host)).status == 0
    assert (host / "usr/local/bin/k3s").exists()
    assert not (host / "etc/systemd/system/k3s.service").exists()


def test_the_unit_is_what_the_documentation_says() -> None:
    """Notify, restarted for ever, with the three files of variables."""
    unit = scripts.unit_file("server", PurePosixPath("/opt/bin/k3s"), PurePosixPath("/e.env")).decode()

    assert "ExecStart=/opt/bin/k3s server\n" in unit
    assert unit.count("EnvironmentFile=-") == 3
    assert {"Type=notify", "KillMode=process", "Restart=always", "TimeoutStartSec=0"} <= set(unit.split())


def test_the_same_questions_go_to_the_shared_engine(sh: Sh, tools: Path) -> None:
    """K3s is its own kubectl, found in either folder."""
    server = make_node("srv-1", "primary", "10.0.0.11")
    put_tool(tools, "curl", "#!/bin/sh\necho pong\n")

    assert sh(common.ask_ping(K3S, server)).text.endswith("pong")
    assert common.ask_node(K3S, server, "srv-1").args[:4] == (
        "env",
        "PATH=/usr/local/bin:/opt/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        "k3s",
        "kubectl",
    )
