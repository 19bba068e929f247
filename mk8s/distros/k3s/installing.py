"""How K3s is put on a host: by mk8s, by its own install.sh, or by somebody before. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.cluster import Cluster
from mk8s.distros.base import Situation
from mk8s.distros.k3s import commands, scripts
from mk8s.distros.k3s.artifacts import staged
from mk8s.distros.k3s.engine import BIN_DIRS, K3S
from mk8s.distros.rancher.commands import has_install
from mk8s.distros.rancher.steps import is_preinstalled
from mk8s.steps import Run, Step, WriteFile
from transports.base import File

__all__ = ["bin_dir", "install", "parts"]

UNITS = PurePosixPath("/etc/systemd/system")


def bin_dir(s: Situation) -> PurePosixPath:
    """install.sh's own rule for where the program goes."""
    usual, other = BIN_DIRS
    return other if s.facts and not s.facts.usr_local_writable else usual


def parts(s: Situation) -> list[tuple[File, PurePosixPath]]:
    """The program, and with `install_method: script` the script."""
    names = ("binary", "installScript") if _by_script(s.cluster) else ("binary",)
    return [found for name in names if (found := staged(s, name))]


def _by_script(cluster: Cluster) -> bool:
    return cluster.install_method == "script"


def install(s: Situation) -> list[Step]:
    """Program, names, scripts and unit."""
    if s.cluster.artifacts_mode == "preinstalled":
        return [*is_preinstalled(K3S, s, [bin_dir(s) / "k3s"]), *_written(s)]
    found = staged(s, "binary")
    if not found:
        return []
    file, place = found
    program = bin_dir(s) / "k3s"
    put = Run(
        f"verify {place.name} and put it at {program}",
        commands.install_program(file, place, program),
        commands.has_program(file, program),
    )
    return [put, *(_run_script(s, file, program) if _by_script(s.cluster) else _written(s))]


def _role(s: Situation) -> str:
    return "server" if s.node.is_server else "agent"


def _unit_file(s: Situation) -> PurePosixPath:
    return UNITS / K3S.unit_of(s.node)


def _scripts(s: Situation) -> tuple[PurePosixPath, PurePosixPath]:
    """killall and uninstall, under the names that K3s' documentation gives them."""
    uninstall = "k3s-uninstall.sh" if s.node.is_server else "k3s-agent-uninstall.sh"
    return bin_dir(s) / "k3s-killall.sh", bin_dir(s) / uninstall


def _written(s: Situation) -> list[Step]:
    """What install.sh would write, as files of mk8s'."""
    unit, folder, data = _unit_file(s), bin_dir(s), K3S.data_dir(s.node)
    killall, uninstall = _scripts(s)
    content = scripts.unit_file(_role(s), folder / "k3s", PurePosixPath(f"{unit}.env"))
    removing = scripts.uninstall(unit, folder, data, uninstall.name)
    return [
        Run("link kubectl, crictl and ctr to k3s", commands.link(folder), commands.has_links(folder)),
        WriteFile(f"write {killall}", killall, scripts.killall(data), mode=0o755),
        WriteFile(f"write {uninstall}", uninstall, removing, mode=0o755),
        WriteFile(f"write {unit}", unit, content),
        Run(f"let systemd read {unit.name}", commands.reload(unit.name), commands.is_loaded(unit.name)),
    ]


def _run_script(s: Situation, file: File, program: PurePosixPath) -> list[Step]:
    found = staged(s, "installScript")
    if not found:
        return []
    script, place = found
    record = commands.record_of(file, _role(s))
    installed = [program, *_scripts(s), _unit_file(s)]
    hashes = {place: script.sha256, program: file.sha256}
    command = commands.install_by_script(_role(s), place, hashes, record, installed)
    return [Run("verify the files and run install.sh", command, has_install(K3S, record))]
