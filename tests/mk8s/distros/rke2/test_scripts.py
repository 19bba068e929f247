"""The driver's scripts in a real shell: what they install, place, and refuse."""

from __future__ import annotations

import io
import tarfile
from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from mk8s.distros.rancher import commands as common
from mk8s.distros.rancher.readiness import UnitView
from mk8s.distros.rke2 import commands
from mk8s.distros.rke2.engine import RKE2
from mk8s.standin.release import build_release
from tests.mk8s.distros.situations import make_node
from tests.mk8s.shells import SHELLS, Sh, file_of, put_tool, shell_among
from transports.base import Command, File, Outcome

SERVER = make_node("srv-1", "primary", "10.0.0.11")
UNIT = "[Service]\nExecStart=/usr/local/bin/rke2 {role}\n"

SYSTEMCTL = """\
#!/bin/sh
echo "$*" >> "{log}"
case "$1" in
  show) printf 'LoadState=loaded\\nActiveState={state}\\nSubState=x\\nNRestarts=1\\n' ;;
  is-active) [ {state} = active ] ;;
  is-enabled) echo enabled ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder of stand-ins for the host's programs; what they are told is written to `log`."""
    folder = tmp_path / "tools"
    folder.mkdir()
    put_tool(folder, "systemctl", SYSTEMCTL.format(log=folder / "log", state="activating"))
    put_tool(folder, "journalctl", f'#!/bin/sh\necho "$*" >> "{folder}/log"\necho "level=fatal msg=boom"\n')
    return folder


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tools: Path) -> Sh:
    return shell_among(tools, request.param)


@pytest.fixture
def bundle(tmp_path: Path) -> File:
    """A bundle of the release's layout."""
    members = {f"bin/{name}": f"#!/bin/sh\n# /usr/local {name}\n" for name in ("rke2", "rke2-killall.sh")}
    members["bin/rke2-uninstall.sh"] = "rm /usr/local/bin/rke2\n"
    members["share/rke2/rke2-cis-sysctl.conf"] = "kernel.panic=10\n"
    for role in ("server", "agent"):
        members[f"lib/systemd/system/rke2-{role}.service"] = UNIT.format(role=role)
    path = tmp_path / "rke2.linux-amd64.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, text in members.items():
            info = tarfile.TarInfo(name)
            info.size, info.uid, info.mode = len(text), 4711, 0o755
            tar.addfile(info, io.BytesIO(text.encode()))
    return file_of(path)


def unpack(bundle: File, root: Path, *, usual: bool) -> tuple[Command, Command]:
    """The driver's two commands, with every path under `root`."""
    command = commands.unpack_bundle(bundle, PurePosixPath(bundle.path), PurePosixPath(root / "prefix"))
    record = str(root / "records" / "rke2")
    units = root / "prefix/lib/systemd/system" if usual else root / "units"
    args = (*command.args[:3], str(units), record)
    return replace(command, args=args), replace(
        common.has_install(RKE2, commands.record_of(bundle)), args=(record,)
    )


def test_the_stand_in_release_installs_the_same_way(sh: Sh, tmp_path: Path) -> None:
    """Its bundle has the layout of a real one, so rehearsals on real hosts go through these very scripts."""
    release = build_release(tmp_path / "release", images_size=1024)
    command, check = unpack(file_of(release / "rke2.linux-amd64.tar.gz"), tmp_path, usual=False)

    assert sh(command) == Outcome(status=0)
    assert sh(check).status == 0


@pytest.mark.parametrize("usual", [True, False])
def test_a_bundle_is_unpacked_once_and_recognised_afterwards(
    sh: Sh, bundle: File, tmp_path: Path, usual: bool
) -> None:
    command, check = unpack(bundle, tmp_path, usual=usual)

    assert sh(check).status != 0
    assert sh(command) == Outcome(status=0)
    assert sh(check).status == 0
    assert sh(command) == Outcome(status=0)


def test_another_prefix_is_corrected_in_units_and_uninstaller(sh: Sh, bundle: File, tmp_path: Path) -> None:
    """The same as install.sh: units move to where systemd looks and name the real program."""
    sh(unpack(bundle, tmp_path, usual=False)[0])

    prefix = tmp_path / "prefix"
    assert (
        tmp_path / "units/rke2-server.service"
    ).read_text() == f"[Service]\nExecStart={prefix}/bin/rke2 server\n"
    assert not (prefix / "lib/systemd/system/rke2-server.service").exists()
    assert (prefix / "bin/rke2-uninstall.sh").read_text() == f"rm {prefix}/bin/rke2\n"


def test_a_changed_program_is_installed_again(sh: Sh, bundle: File, tmp_path: Path) -> None:
    """A torn unpacking or another release over this one must not count as installed."""
    command, check = unpack(bundle, tmp_path, usual=True)
    sh(command)
    (tmp_path / "prefix/bin/rke2").write_text("torn")

    assert sh(check).status != 0


def test_a_damaged_bundle_is_never_unpacked(sh: Sh, bundle: File, tmp_path: Path) -> None:
    """The last of the four verifications stands right before the installation."""
    command, _ = unpack(replace(bundle, sha256="0" * 64), tmp_path, usual=True)

    outcome = sh(command)

    assert outcome.status == 65
    assert outcome.complaint == f"mk8s: {bundle.path} is not what was sent"
    assert not (tmp_path / "prefix").exists()


def test_systemd_reads_the_new_units(sh: Sh, bundle: File, tmp_path: Path, tools: Path) -> None:
    sh(unpack(bundle, tmp_path, usual=True)[0])

    assert (tools / "log").read_text() == "daemon-reload\n"


def by_script(bundle: File, root: Path) -> tuple[Command, Path]:
    """install.sh in a staging folder, and the driver's command for it."""
    folder = root / "staged"
    folder.mkdir()
    script = folder / "install.sh"
    script.write_text('env | grep ^INSTALL_ | sort > "$INSTALL_RKE2_ARTIFACT_PATH/told"\n')
    hashes = {"install.sh": file_of(script).sha256}
    command = commands.install_by_script(
        SERVER, bundle, PurePosixPath(folder), PurePosixPath(root / "prefix"), hashes
    )
    args = (
        *command.args[:3],
        str(root / "prefix/lib/systemd/system"),
        str(root / "record"),
        *command.args[5:],
    )
    return replace(command, args=args), folder


def test_install_sh_is_told_folder_role_method_and_prefix(sh: Sh, bundle: File, tmp_path: Path) -> None:
    sh(unpack(bundle, tmp_path, usual=True)[0])  # what the real script would install
    command, folder = by_script(bundle, tmp_path)

    assert sh(command) == Outcome(status=0)
    assert (folder / "told").read_text().splitlines() == [
        f"INSTALL_RKE2_ARTIFACT_PATH={folder}",
        "INSTALL_RKE2_METHOD=tar",
        f"INSTALL_RKE2_TAR_PREFIX={tmp_path}/prefix",
        "INSTALL_RKE2_TYPE=server",
    ]


def test_a_changed_install_sh_never_runs(sh: Sh, bundle: File, tmp_path: Path) -> None:
    command, folder = by_script(bundle, tmp_path)
    (folder / "install.sh").write_text("touch /tmp/evil\n")

    assert sh(command).status == 65
    assert not (folder / "told").exists()


def test_an_archive_is_placed_whole_and_recognised(sh: Sh, tmp_path: Path) -> None:
    """A link where that is possible: images are large. Placing it again is fine."""
    staged, target = tmp_path / "a.tar.zst", tmp_path / "agent/images/a.tar.zst"
    staged.write_bytes(b"images")
    place = common.place_archive(RKE2, file_of(staged), PurePosixPath(staged), PurePosixPath(target))
    check = common.has_archive(RKE2, file_of(staged), PurePosixPath(target))

    assert sh(check).status != 0
    assert [sh(place).status, sh(place).status, sh(check).status] == [0, 0, 0]
    assert [path.name for path in target.parent.iterdir()] == ["a.tar.zst"]
    assert target.stat().st_ino == staged.stat().st_ino


def test_a_damaged_archive_is_never_placed(sh: Sh, tmp_path: Path) -> None:
    staged, target = tmp_path / "a.tar", tmp_path / "images/a.tar"
    staged.write_bytes(b"damaged")
    file = replace(file_of(staged), sha256="0" * 64)

    assert sh(common.place_archive(RKE2, file, PurePosixPath(staged), PurePosixPath(target))).status == 65
    assert not target.exists()


def test_a_unit_that_is_not_active_tells_its_last_words(sh: Sh) -> None:
    view = UnitView.of(sh(common.ask_unit(RKE2, SERVER)))

    assert view.words == "activating (x, restarted 1 time)"
    assert view.journal == ("level=fatal msg=boom",)


def test_an_active_units_journal_is_left_alone(sh: Sh, tools: Path) -> None:
    """It may be long, it is asked every few seconds, and nobody needs it."""
    put_tool(tools, "systemctl", SYSTEMCTL.format(log=tools / "log", state="active"))

    view = UnitView.of(sh(common.ask_unit(RKE2, SERVER)))

    assert view.is_active
    assert "journalctl" not in (tools / "log").read_text()
    assert view.journal == ()


def test_readyz_brings_the_units_state_and_the_answer(sh: Sh, tools: Path) -> None:
    put_tool(tools, "kubectl", '#!/bin/sh\necho "$*" >> "${0%/*}/log"; printf ok\n')
    command = common.ask_readyz(RKE2, SERVER)
    asked = replace(command, args=(command.args[0], str(tools / "kubectl"), *command.args[2:]))

    outcome = sh(asked)

    assert outcome.status == 0
    assert UnitView.of(outcome).answer == "ok"
    assert (
        "--kubeconfig /etc/rancher/rke2/rke2.yaml --request-timeout=10s get --raw /readyz"
        in (tools / "log").read_text()
    )


def test_the_supervisor_is_asked_by_curl_where_there_is_one(sh: Sh, tools: Path) -> None:
    put_tool(tools, "curl", '#!/bin/sh\n[ "$4" = https://127.0.0.1:9345/ping ] && printf pong\n')

    assert UnitView.of(sh(common.ask_ping(RKE2, SERVER))).answer == "pong"


def test_nm_cloud_setup_is_asked_for_in_systemds_words(sh: Sh) -> None:
    assert sh(commands.has_nm_cloud_setup()).text == "enabled"


@pytest.mark.parametrize("place", ["prefix", "usr"])
def test_the_cis_settings_are_found_wherever_rke2_was_put(
    sh: Sh, tools: Path, tmp_path: Path, place: str
) -> None:
    """Unpacked by mk8s, or by a package of the host's, which has them below /usr."""
    source = tmp_path / place / "share/rke2/rke2-cis-sysctl.conf"
    source.parent.mkdir(parents=True)
    source.write_text("kernel.panic=10\n")
    for name in ("sysctl", "useradd"):
        put_tool(tools, name, f'#!/bin/sh\necho "{name} $*" >> "{tools}/log"\n')
    put_tool(tools, "id", f'#!/bin/sh\ngrep -q useradd "{tools}/log"\n')
    (tools / "log").touch()
    target = tmp_path / "60-rke2-cis.conf"
    args = (str(tmp_path / "prefix"), "primary", str(target), str(tmp_path / "usr"))
    prepare, check = (
        replace(make(SERVER, PurePosixPath("/usr/local")), args=args)
        for make in (commands.prepare_for_cis, commands.is_prepared_for_cis)
    )

    assert sh(check).status == 1
    assert sh(prepare) == Outcome(status=0)
    assert (sh(check).status, target.read_text()) == (0, "kernel.panic=10\n")
    assert (tools / "log").read_text().splitlines() == [
        f"sysctl -q -p {target}",
        "useradd -r -c etcd user -s /sbin/nologin -M etcd -U",
    ]
