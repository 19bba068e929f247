"""RKE2 for simulated hosts: its own commands beside the common engine's, and how long everything takes.

Begin reading at `teach`.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from pathlib import PurePosixPath

from mk8s.cluster import Cluster
from mk8s.distros.rancher import model
from mk8s.distros.rancher.commands import USUAL_PREFIX
from mk8s.distros.rancher.model import Answer, World, hash_matches
from mk8s.distros.rancher.model import record as note
from mk8s.distros.rke2.commands import CIS_SETTINGS
from mk8s.distros.rke2.engine import RKE2
from mk8s.model_answers import NO, YES
from mk8s.modelled import not_what_was_sent
from mk8s.paces import GLANCE, LOOK, UNPACKING, work
from transports.base import Command, Outcome
from transports.simulated import SimulatedHost, SimulatedNetwork, Span, parent, path_of

__all__ = ["DURATIONS", "OWN", "PHASES", "teach"]

PROGRAMS = ("rke2", "rke2-killall.sh", "rke2-uninstall.sh")
UNITS = (RKE2.server_unit, RKE2.agent_unit)


def teach(host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
    """Let this host understand the driver's commands and run its services as RKE2 does."""
    model.teach(RKE2, OWN, DURATIONS, host, network, cluster)
    if cluster.artifacts_mode == "preinstalled":
        prefix, units = USUAL_PREFIX, path_of("/etc/systemd/system")
        _install(host, cluster.version, prefix, units, path_of("/run/preinstalled"))
        folder = path_of(RKE2.usual_data_dir) / "agent" / "images"
        host.disk.make_folder(folder)
        host.disk.write(folder / "preinstalled.tar", b"images")


async def _unpack(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    bundle, digest, prefix, units, record = command.args
    if not await hash_matches(host, path_of(bundle), digest):
        return not_what_was_sent(path_of(bundle))
    await work(host, UNPACKING, host.files[path_of(bundle)].size)
    _install(host, digest, *map(path_of, (prefix, units, record)))
    return YES


async def _install_script(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    folder, _kind, prefix, units, record, *hashes = command.args
    digests = dict(zip(hashes[::2], hashes[1::2], strict=True))
    for name, digest in digests.items():
        if not await hash_matches(host, path_of(folder) / name, digest):
            return not_what_was_sent(path_of(folder) / name)
    await work(host, UNPACKING, sum(host.files[path_of(folder) / name].size for name in digests))
    _install(host, " ".join(digests.values()), *map(path_of, (prefix, units, record)))
    return YES


def _install(
    host: SimulatedHost, release: str, prefix: PurePosixPath, units: PurePosixPath, record: PurePosixPath
) -> None:
    files, settings = _files(prefix, units)
    for path in (*files, settings):
        host.disk.make_folder(parent(path))
        host.disk.write(path, _content(path.name, release), mode=0o755)
    host.daemon_reload()
    note(host, record, files)


@lru_cache(64)
def _files(prefix: PurePosixPath, units: PurePosixPath) -> tuple[tuple[PurePosixPath, ...], PurePosixPath]:
    """Programs and units, the same on all hosts that have them at one place; and the settings for CIS."""
    names = [*(f"{prefix}/bin/{name}" for name in PROGRAMS), *(f"{units}/{name}" for name in UNITS)]
    return tuple(map(path_of, names)), path_of(f"{prefix}/share/rke2/rke2-cis-sysctl.conf")


@lru_cache(64)
def _content(name: str, release: str) -> bytes:
    return f"{name} {release}".encode()


async def _prepare_cis(_world: World, host: SimulatedHost, command: Command) -> Outcome:
    source = path_of(command.args[0]) / "share/rke2/rke2-cis-sysctl.conf"
    host.disk.write(CIS_SETTINGS, host.disk.read(source))
    return YES


async def _is_cis_prepared(_world: World, host: SimulatedHost, _command: Command) -> Outcome:
    return YES if CIS_SETTINGS in host.files else NO


async def _nm_cloud_setup(_world: World, _host: SimulatedHost, _command: Command) -> Outcome:
    return Outcome(status=0, stdout=b"")


OWN: Mapping[str, Answer] = {
    "unpack": _unpack,
    "install-script": _install_script,
    "prepare-cis": _prepare_cis,
    "is-cis-prepared": _is_cis_prepared,
    "nm-cloud-setup": _nm_cloud_setup,
}
"""Every operation of `commands`, by its name without ``rke2.``"""

DURATIONS: Mapping[str, Span] = model.durations(
    RKE2,
    {
        "unpack": Span(0.2, 0.8),
        "install-script": Span(1, 4),  # a shell script of many steps; order of magnitude
        "prepare-cis": Span(0.1, 0.4),  # a file, a user, `systemctl restart systemd-sysctl`
        "is-cis-prepared": GLANCE,
        "nm-cloud-setup": LOOK,
    },
    {
        # Import of 0.75 to 0.9 GB of images, then static pods: "typically 2 to 6 min on SSD", says practice;
        # there is no number of Rancher's.
        "primary-first-start": Span(120, 360),
        "server-first-start": Span(120, 360),
        "server-restart": Span(15, 40),  # nothing to import: order of magnitude
        "agent-first-start": Span(40, 120),  # the same images, and no control plane: order of magnitude
        "agent-restart": Span(5, 15),
    },
)
"""How long everything takes beside the bytes that it works on."""

PHASES = model.phases(RKE2)
