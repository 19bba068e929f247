"""containerd with runc, crictl and the network plugins, running and with the release's images. Pure.

Order: programs, configuration, start, wait until it answers, images. All of it is done before any kubelet
starts. containerd is started anew only where one of its files has changed since its last start; what it
runs lives on meanwhile (KillMode=process).

Two configurations are written, for 1.x and for 2.x, and the one for the installed containerd is chosen on
the host: the file's format belongs to the program, not to Kubernetes' version.
"""

from __future__ import annotations

import json
import re
from pathlib import PurePosixPath

from mk8s.commands import unit_enable, unit_is_enabled
from mk8s.distros.base import Situation
from mk8s.distros.upstream import commands, images, proxies
from mk8s.distros.upstream.parts import (
    BEFORE,
    OWN,
    bin_dir,
    folder,
    install_archive,
    install_binary,
    link,
    prefix,
    program,
    staged,
)
from mk8s.registries import Given, given_of
from mk8s.registries.hosts import PLUGIN_1, PLUGIN_2, auth_toml
from mk8s.registries.steps import authority_steps, host_steps
from mk8s.steps import Run, Step, Verdict, WaitFor, WriteFile
from transports.base import Outcome

__all__ = ["PARTS", "SOCKET", "containerd_answers", "install"]

SOCKET = PurePosixPath("/run/containerd/containerd.sock")
PARTS = ("containerd", "runc", "crictl", "cni-plugins", "images")  # ids to stage before
PLUGINS = PurePosixPath("/opt/cni/bin")
CONFIG = PurePosixPath("/etc/containerd/config.toml")
MIRRORS = PurePosixPath("/etc/containerd/certs.d")  # a folder for each registry, with its hosts.toml
FOR_1, FOR_2 = OWN / "containerd-1.toml", OWN / "containerd-2.toml"
CRICTL = PurePosixPath("/etc/crictl.yaml")
UNIT = PurePosixPath("/etc/systemd/system/containerd.service")
STARTED = PurePosixPath("/var/lib/mk8s/started/containerd")
IMPORTED = PurePosixPath("/var/lib/mk8s/imported")
COUNT = re.compile(r"[0-9]{1,9}")
LONGEST_REASON = 240  # characters of the journal that people are shown
MOST_RESTARTS = 3  # systemd waits 5 s between two

CRICTL_YAML = f"""\
# written by mk8s
runtime-endpoint: unix://{SOCKET}
image-endpoint: unix://{SOCKET}
timeout: 10
"""

# As upstream's own unit, with the settings that Kubernetes needs of it.
SERVICE = """\
# written by mk8s
[Unit]
Description=containerd container runtime
Documentation=https://containerd.io
After=network.target local-fs.target

[Service]
Environment=PATH={prefix}/sbin:{prefix}/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
ExecStartPre=-/sbin/modprobe overlay
ExecStart={prefix}/bin/containerd
Type=notify
Delegate=yes
KillMode=process
Restart=always
RestartSec=5
OOMScoreAdjust=-999
LimitNOFILE=1048576
LimitNPROC=infinity
LimitCORE=infinity
TasksMax=infinity

[Install]
WantedBy=multi-user.target
"""

CONFIG_1 = """\
# written by mk8s
version = 2

[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = {pause}
  restrict_oom_score_adj = {restrict}

  [plugins."io.containerd.grpc.v1.cri".cni]
    bin_dir = "/opt/cni/bin"
    conf_dir = "/etc/cni/net.d"

  [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc.options]
      SystemdCgroup = true

  [plugins."io.containerd.grpc.v1.cri".registry]
    config_path = "/etc/containerd/certs.d"
"""

# The folders of the network plugins are left at their defaults, which are the same.
CONFIG_2 = """\
# written by mk8s
version = 3

[plugins."io.containerd.cri.v1.images"]

  [plugins."io.containerd.cri.v1.images".pinned_images]
    sandbox = {pause}

  [plugins."io.containerd.cri.v1.images".registry]
    config_path = "/etc/containerd/certs.d"

[plugins."io.containerd.cri.v1.runtime"]
  restrict_oom_score_adj = {restrict}

  [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc]
    runtime_type = "io.containerd.runc.v2"

    [plugins."io.containerd.cri.v1.runtime".containerd.runtimes.runc.options]
      SystemdCgroup = true
"""


def install(s: Situation) -> list[Step]:
    """containerd configured, started and answering, with the images. Restarts it only after a change."""
    return [*_programs(s), *_configuration(s), *_start(s), *_images(s)]


def _programs(s: Situation) -> list[Step]:
    programs = [bin_dir(s) / name for name in ("containerd", "ctr", "crictl")]
    return [
        install_archive(s, "containerd", prefix(s)),
        install_binary(s, "runc", "runc", prefix(s) / "sbin"),
        install_archive(s, "crictl", bin_dir(s)),
        install_archive(s, "cni-plugins", PLUGINS),
        *map(link, programs),
    ]


def _configuration(s: Situation) -> list[Step]:
    containerd = bin_dir(s) / "containerd"
    registries = given_of(s.cluster, s.kept)
    return [
        WriteFile(f"write {CRICTL}", CRICTL, CRICTL_YAML.encode()),
        folder(MIRRORS),
        *authority_steps(registries),
        *host_steps(registries, MIRRORS),
        folder(OWN),
        _config(FOR_1, _render(CONFIG_1, s) + auth_toml(registries, PLUGIN_1), registries),
        _config(FOR_2, _render(CONFIG_2, s) + auth_toml(registries, PLUGIN_2), registries),
        Run(
            f"choose {CONFIG} for this containerd",
            commands.choose_config(containerd, FOR_1, FOR_2, CONFIG, BEFORE),
            commands.is_config_chosen(containerd, FOR_1, FOR_2, CONFIG),
        ),
        WriteFile(f"write {UNIT}", UNIT, SERVICE.format(prefix=prefix(s)).encode()),
        *proxies.steps(s, UNIT.name),
    ]


def _config(path: PurePosixPath, text: str, registries: Given | None) -> WriteFile:
    """One of the two configs; with registries' passwords in it, root alone may read it."""
    holds_passwords = registries is not None and registries.has_passwords
    mode = 0o600 if holds_passwords else 0o644
    return WriteFile(f"write {path}", path, text.encode(), mode=mode, secret=holds_passwords)


def _render(template: str, s: Situation) -> str:
    """TOML's plain strings are written as JSON's are."""
    lowers_oom = s.facts is None or s.facts.lowers_oom
    pause = json.dumps(images.named(s, "pause"))
    return template.format(pause=pause, restrict="false" if lowers_oom else "true")


def _start(s: Situation) -> list[Step]:
    files = [CONFIG, UNIT, bin_dir(s) / "containerd", *proxies.paths(s, UNIT.name)]
    unit = UNIT.name
    return [
        Run(f"enable {unit}", unit_enable(unit), unit_is_enabled(unit)),
        Run(
            "start containerd",
            commands.restart_containerd(STARTED, files),
            commands.is_containerd_current(STARTED, files),
        ),
        WaitFor("containerd answers", commands.ask_containerd(program("ctr")), containerd_answers, 1.0),
    ]


def _images(s: Situation) -> list[Step]:
    found = staged(s, "images")
    if not found:
        return []
    file, place = found
    record = IMPORTED / file.sha256
    return [
        Run(
            f"verify {place.name} and import its images",
            commands.import_images(program("ctr"), place, file.sha256, record),
            commands.has_images(program("ctr"), record),
        )
    ]


def containerd_answers(outcome: Outcome) -> Verdict:
    """Met when it answers; never when systemd has given up, or starts it again and again."""
    if outcome.ok:
        return Verdict(met=True)
    lines = outcome.stdout.decode("utf-8", "replace").splitlines()
    said = dict(line.split("=", 1) for line in lines[:3] if "=" in line)
    words = lines[-1][:LONGEST_REASON] if len(lines) > len(said) else ""
    reason = f"containerd.service is {said.get('ActiveState', 'unknown')}: {words}".removesuffix(": ")
    restarts = COUNT.fullmatch(said.get("NRestarts", ""))
    failing = said.get("ActiveState") == "failed" or (restarts and int(restarts[0]) > MOST_RESTARTS)
    if not failing:
        return Verdict(met=False, reason=reason)
    remedy = "look at `journalctl -u containerd` on the node"
    return Verdict(met=False, reason=reason, lineage=("runtime.failed", "runtime", "exit"), remedy=remedy)
