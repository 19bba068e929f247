"""How RKE2 is put on a host: by mk8s, by its own install.sh, or by somebody before. Pure."""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.cluster import Cluster
from mk8s.distros.base import Situation
from mk8s.distros.rancher.commands import OTHER_PREFIX, USUAL_PREFIX, ask_unit, has_install
from mk8s.distros.rancher.images import staging_dir
from mk8s.distros.rancher.readiness import unit_is_installed
from mk8s.distros.rancher.steps import is_preinstalled
from mk8s.distros.rancher.values import settings_of
from mk8s.distros.releases import has
from mk8s.distros.rke2 import commands, versions
from mk8s.distros.rke2.artifacts import release_of, staged
from mk8s.distros.rke2.engine import RKE2
from mk8s.distros.rke2.readiness import nm_cloud_setup_is_off
from mk8s.steps import Run, Step, WaitFor
from transports.base import File

__all__ = ["install", "parts", "prefix_of", "prepare"]

PREFIX = OTHER_PREFIX / "rke2"  # install.sh's own second choice
PLACES = (USUAL_PREFIX / "bin/rke2", PREFIX / "bin/rke2", PurePosixPath("/usr/bin/rke2"))


def parts(s: Situation) -> list[tuple[File, PurePosixPath]]:
    """The bundle; with install.sh, the script too, and the list of hashes that it wants to see."""
    names = ("checksums", "binary", "installScript") if _by_script(s.cluster) else ("binary",)
    return [found for name in names if (found := staged(s, name))]


def _by_script(cluster: Cluster) -> bool:
    return cluster.install_method == "script"


def install(s: Situation) -> list[Step]:
    """The guard that the release's unit has itself, told before anything is done; then the programs."""
    return [*_guards(s), *(_preinstalled(s) if s.cluster.artifacts_mode == "preinstalled" else _install(s))]


def _guards(s: Situation) -> list[Step]:
    release = release_of(s.cluster)
    guarded = has(release, versions.NM_CLOUD_SETUP_GUARD)
    if not guarded or has(release, versions.NO_NM_CLOUD_SETUP_GUARD):
        return []
    return [WaitFor("nm-cloud-setup is off", commands.has_nm_cloud_setup(), nm_cloud_setup_is_off)]


def _preinstalled(s: Situation) -> list[Step]:
    unit = RKE2.unit_of(s.node)
    return [
        *is_preinstalled(RKE2, s, PLACES),
        WaitFor(f"{unit} is installed", ask_unit(RKE2, s.node), unit_is_installed(unit)),
    ]


def _install(s: Situation) -> list[Step]:
    found = staged(s, "binary")
    if not found:
        return []
    bundle, place = found
    check = has_install(RKE2, commands.record_of(bundle))
    if not _by_script(s.cluster):
        command = commands.unpack_bundle(bundle, place, prefix_of(s))
        return [Run(f"verify and unpack {place.name}", command, check)]
    hashes = {place.name: file.sha256 for file, place in parts(s)}
    command = commands.install_by_script(s.node, bundle, staging_dir(s.cluster), prefix_of(s), hashes)
    return [Run("verify the files and run install.sh", command, check)]


def prefix_of(s: Situation) -> PurePosixPath:
    """install.sh's own rule for where the bundle goes."""
    return PREFIX if s.facts and not s.facts.usr_local_writable else USUAL_PREFIX


def prepare(s: Situation) -> list[Step]:
    """What a CIS profile demands of the host: RKE2 refuses to start without it."""
    if not str(settings_of(s.node).get("profile") or "").startswith("cis"):
        return []
    command = commands.prepare_for_cis(s.node, prefix_of(s))
    check = commands.is_prepared_for_cis(s.node, prefix_of(s))
    return [Run("prepare for the CIS profile", command, check)]
