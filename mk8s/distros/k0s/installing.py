"""What stands on a k0s node before its service starts: program, images, files, config, unit. Pure.

The program goes to /usr/local/bin, or to /opt/bin where that is not writable; a link with the same path on
every host leads to it. The unit is k0s' own work: `k0s install` with the words of `arguments`.

Begin reading at `install_steps`.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import PurePosixPath

from mk8s.commands import has_folder, make_folder
from mk8s.distros.base import Situation
from mk8s.distros.common import datastore, proxy
from mk8s.distros.k0s import commands
from mk8s.distros.k0s.arguments import install_words, late_words
from mk8s.distros.k0s.artifacts import image_archives, manifest_files, staged_program
from mk8s.distros.k0s.config import DATASTORE_FILES, render_config
from mk8s.distros.k0s.readiness import config_is_valid, is_version
from mk8s.distros.k0s.roles import CONFIG, DROP_INS, PROGRAM, at, config_of, runs_pods, unit_of
from mk8s.distros.upstream import commands as upstream
from mk8s.registries import given_of
from mk8s.registries import k0s as registries
from mk8s.registries.steps import authority_steps, host_steps
from mk8s.steps import Run, Step, WaitFor, WriteFile

__all__ = ["config_steps", "install_steps", "program_of", "service_files"]

USUAL, OTHER = PurePosixPath("/usr/local/bin/k0s"), PurePosixPath("/opt/bin/k0s")
API_USER = "kube-apiserver"
PODS, SERVICES, DOMAIN = "10.244.0.0/16", "10.96.0.0/12", "cluster.local"  # k0s' own


def install_steps(s: Situation) -> list[Step]:
    """Everything but the start."""
    return [
        *_program(s),
        *_placed(s),
        _folder(CONFIG.parent),
        *_runtime(s),
        *_certificates(s),
        *config_steps(s),
        *_unit(s),
        *_share_certificates(s),
    ]


def program_of(s: Situation) -> PurePosixPath:
    """Where the program lies on this host."""
    return OTHER if s.facts and not s.facts.usr_local_writable else USUAL


def _program(s: Situation) -> list[Step]:
    """k0s itself, verified, and asked for its version: the service's user will read no other."""
    version = WaitFor(f"k0s is {s.cluster.version}", commands.ask_version(), is_version(s.cluster.version))
    found = staged_program(s)
    if found is None:
        return [Run("look for k0s on the host", commands.find_program(), commands.has_program()), version]
    file, staged = found
    target = program_of(s)
    install = upstream.install_program(staged, file.sha256, target, PROGRAM)
    check = upstream.has_program(file.sha256, target, PROGRAM)
    return [Run(f"verify and install {target}", install, check), version]


def _placed(s: Situation) -> list[Step]:
    return [
        Run(
            f"verify and place {one.target.name}",
            commands.place(one.file, one.staged, one.target),
            commands.has_placed(one.file, one.target),
        )
        for one in (*image_archives(s), *manifest_files(s))
    ]


def _folder(path: PurePosixPath, mode: int | None = None) -> Run:
    return Run(f"make the folder {path}", make_folder(path, mode), has_folder(path, mode))


def _runtime(s: Situation) -> list[Step]:
    """containerd's drop-ins and registries, where there is a containerd."""
    given = given_of(s.cluster, s.kept)
    if not runs_pods(s.cluster, s.node) or not (given or s.node.drop_ins):
        return []
    steps: list[Step] = [_folder(DROP_INS)]
    steps += [
        WriteFile(f"write {DROP_INS / name}", DROP_INS / name, text.encode(), mode=0o600, secret=True)
        for name, text in s.node.drop_ins.items()
    ]
    if given is None:
        return steps
    drop_in = registries.drop_in(given, s.cluster.version)
    return [
        *steps,
        *authority_steps(given),
        _folder(registries.CERTS_D),
        *host_steps(given, registries.CERTS_D),
        WriteFile(f"write {registries.DROP_IN}", registries.DROP_IN, drop_in, mode=0o600, secret=True),
    ]


def _certificates(s: Situation) -> list[Step]:
    """Those of an etcd of the user's. API servers may read them once `k0s install` has made their user."""
    found = datastore.paths(s.cluster, DATASTORE_FILES)
    if not found or not s.node.is_server:
        return []
    written = [step for step in datastore.steps(s, DATASTORE_FILES) if isinstance(step, WriteFile)]
    return [_folder(DATASTORE_FILES, 0o750), *(replace(step, mode=0o640) for step in written)]


def _share_certificates(s: Situation) -> list[Step]:
    found = datastore.paths(s.cluster, DATASTORE_FILES)
    if not found or not s.node.is_server:
        return []
    user = str(at(s.node.config, "spec", "installConfig", "users", "kubeAPIserverUser") or API_USER)
    give, ask = commands.share(user, [DATASTORE_FILES, *found.values()])
    return [Run(f"let {user} read {DATASTORE_FILES}", give, ask)]


def config_steps(s: Situation) -> list[Step]:
    """The config as it is now: the user may have mended it since a start failed. Workers have none."""
    if not s.node.is_server:
        return []
    write = WriteFile(f"write {CONFIG}", CONFIG, render_config(s), mode=0o600, secret=True)
    return [write, WaitFor(f"k0s takes {CONFIG}", commands.validate_config(), config_is_valid)]


def _unit(s: Situation) -> list[Step]:
    """The unit's surroundings first: `k0s install` lets systemd read them all."""
    unit, words, late = unit_of(s.node), install_words(s.cluster, s.node), late_words(s.cluster, s.node)
    install = commands.install_unit(s.node, words, late)
    check = commands.is_installed(s.node, words, late)
    return [*proxy.steps(_environment(s), unit), Run(f"let k0s write {unit}", install, check)]


def _environment(s: Situation) -> dict[str, str]:
    """The proxy's. k0s' documentation has it in a drop-in of the unit, which every release takes."""
    given = at(config_of(s.cluster), "spec", "network")
    net = s.cluster.network
    pods = at(given, "podCIDR") or (net.pod_cidr if net else PODS)
    services = at(given, "serviceCIDR") or (net.service_cidr if net else SERVICES)
    domain = at(given, "clusterDomain") or (net.dns_domain if net else DOMAIN)
    return proxy.variables(s.cluster, s.node, (str(pods), str(services)), str(domain))


def service_files(s: Situation) -> list[PurePosixPath]:
    """All that the service is made of and reads when it starts; the join token is not among them."""
    unit = unit_of(s.node)
    flags = commands.UNITS / f"{unit}.d" / "40-mk8s-flags.conf"
    late = [flags] if late_words(s.cluster, s.node) else []
    environment = [proxy.drop_in_path(unit)] if _environment(s) else []
    config = [CONFIG] if s.node.is_server else []
    return [PROGRAM, *config, commands.UNITS / unit, *late, *environment]
