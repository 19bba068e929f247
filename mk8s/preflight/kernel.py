"""Checks of the operating system and its kernel, one host at a time. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from mk8s.preflight.base import Host, Scene, Trouble, of_each_host

__all__ = ["minor_of"]

CGROUP_V1_REFUSED = 35  # minor release of Kubernetes from which on the kubelet does not start on version 1
RELEASE = re.compile(r"v?1\.(?P<minor>[0-9]{1,3})\b")
KERNEL = re.compile(r"(?P<major>[0-9]{1,3})\.(?P<minor>[0-9]{1,4})")
FOR_CGROUP_V2 = (5, 8)  # what Kubernetes' page on cgroup version 2 asks for
CONTROLLERS = ("cpu", "cpuset", "memory", "pids")  # without these the kubelet does not start
LEAST_INSTANCES, LEAST_WATCHES = 128, 8192  # the kernel's own defaults: less was somebody's wish
BUSY_INSTANCES, BUSY_WATCHES = 8192, 524288  # RKE2's documentation, for busy nodes
LAST_FILE = "sysctl.conf"  # of /etc: `sysctl --system` reads it last


@of_each_host("os", "the operating system is Linux", firm="nothing of a release would start")
def operating_system(host: Host, _scene: Scene) -> Trouble | None:
    if host.found.system in ("", "Linux"):
        return None
    return Trouble(
        f"the host runs {host.found.system}", "nodes run Linux: correct its address, or take another"
    )


@of_each_host("kernel", "the kernel is new enough")
def kernel(host: Host, scene: Scene) -> Trouble | None:
    found = _kernel(host.found.kernel)
    if found is None:
        return None
    for_cgroups = host.found.cgroup == "cgroup2fs" and (minor_of(scene) or 0) >= CGROUP_V1_REFUSED
    least = max(host.wants.kernel, FOR_CGROUP_V2 if for_cgroups else (0, 0))
    if found >= least:
        return None
    why = "cgroup version 2" if least == FOR_CGROUP_V2 else scene.cluster.distro
    return Trouble(
        f"the kernel is {host.found.kernel}, and {why} wants {least[0]}.{least[1]} at least",
        "boot a newer kernel",
        level="warn",
    )


@of_each_host("modules", "the kernel modules are there")
def modules(host: Host, _scene: Scene) -> Trouble | None:
    missing = _missing(host, host.wants.modules)
    if not missing:
        return None
    return Trouble(
        f"the kernel has no {', '.join(missing)}, neither built in nor to be loaded",
        "install the kernel's modules (RHEL 10: the package kernel-modules-extra), or boot another kernel",
    )


@of_each_host("network-modules", "the kernel modules of the pod network are there")
def network_modules(host: Host, _scene: Scene) -> Trouble | None:
    missing = _missing(host, host.wants.network_modules)
    if not missing:
        return None
    return Trouble(
        f"the kernel has no {', '.join(missing)}, which the pod network is made with",
        "install the kernel's modules, or choose a pod network that does without",
        level="warn",
    )


@of_each_host("cgroup", "the cgroup version is one that the kubelet takes")
def cgroup(host: Host, scene: Scene) -> Trouble | None:
    minor = minor_of(scene)
    if host.found.cgroup != "tmpfs" or minor is None or minor < CGROUP_V1_REFUSED:
        return None
    return Trouble(
        f"cgroup version 1, and the kubelet of {scene.cluster.version} refuses to start on it",
        f"boot with systemd.unified_cgroup_hierarchy=1; or waive this check and {host.wants.cgroup_v1_way}",
    )


@of_each_host("cgroup-controllers", "the kernel counts memory, processors and processes")
def cgroup_controllers(host: Host, _scene: Scene) -> Trouble | None:
    found = host.found.controllers
    missing = [name for name in CONTROLLERS if name not in found] if found else []
    if not missing:
        return None
    return Trouble(
        f"the kernel has no cgroup controller {', '.join(missing)}: the kubelet does not start without",
        "boot with cgroup_enable=memory cgroup_memory=1 on the kernel's command line (Raspberry Pi: "
        "/boot/firmware/cmdline.txt), or with a kernel that has it",
    )


@of_each_host("sysctls", "the kernel parameters can be set, and stay")
def sysctls(host: Host, _scene: Scene) -> Trouble | None:
    """A service that sets them at each start survives a file that says otherwise; a file does not."""
    faults = [fault for wanted in host.wants.sysctls for fault in _not_kept(host, wanted)]
    if not faults:
        return None
    return Trouble(
        "; ".join(words for words, _ in faults),
        "take the line out of that file; where a parameter cannot be set, the host is a container without "
        "the right to",
        level="error" if any(certain for _, certain in faults) else "warn",
    )


def _not_kept(host: Host, wanted: str) -> Iterator[tuple[str, bool]]:
    """What keeps a parameter from being, or from staying, as it must be; and whether that is certain."""
    key, _, value = wanted.partition("=")
    now = host.found.settings.get(key)
    if now and now.value != value and not now.settable:
        yield f"{key} is {now.value}, must be {value}, and cannot be set", True
    last = _at_boot(host, key)
    own = host.wants.sysctl_file
    if last and last[1] != value and PurePosixPath(last[0]).name > own:
        yield f"{last[0]} sets {key} to {last[1]} at each boot, and it must be {value}", bool(own)


def _at_boot(host: Host, key: str) -> tuple[str, str] | None:
    """The file that has the last word on a parameter, and what it says.

    systemd-sysctl reads all folders in one order of file names; of files that have one name, the one in
    /etc hides that in /run, and that the one in /usr. `sysctl --system` reads /etc/sysctl.conf last.
    """
    by_name: dict[str, tuple[str, str]] = {}
    for path, line in host.found.setting_files:
        name, _, value = line.partition("=")
        seen = by_name.get(PurePosixPath(path).name)
        if name.strip() == key and (seen is None or seen[0] == path):
            by_name[PurePosixPath(path).name] = (path, value.strip())
    last = LAST_FILE if LAST_FILE in by_name else max(by_name, default=None)
    return None if last is None else by_name[last]


@of_each_host("kernel-settings", "the kernel parameters that the profile asks for are set")
def kernel_settings(host: Host, _scene: Scene) -> Trouble | None:
    wrong = []
    for wanted in host.wants.held_sysctls:
        key, _, value = wanted.partition("=")
        now = host.found.settings.get(key)
        if now and now.value != value:
            wrong.append(f"{key} is {now.value}, not {value}")
    if not wrong:
        return None
    lines = ", ".join(host.wants.held_sysctls)
    return Trouble(
        f"{'; '.join(wrong)}: with its CIS profile the service refuses to start",
        f"write {lines} into a file of /etc/sysctl.d, and run `sysctl --system`",
    )


@of_each_host("inotify", "programs may watch files")
def inotify(host: Host, _scene: Scene) -> Trouble | None:
    instances, watches = host.found.inotify_instances, host.found.inotify_watches
    few = [f"fs.inotify.max_user_instances is {instances}"] if _below(instances, LEAST_INSTANCES) else []
    few += [f"fs.inotify.max_user_watches is {watches}"] if _below(watches, LEAST_WATCHES) else []
    if not few:
        return None
    return Trouble(
        f"{' and '.join(few)}, less than the kernel's own default: pods fail with 'too many open files'",
        f"raise them in a file of /etc/sysctl.d; busy nodes want {BUSY_INSTANCES} and {BUSY_WATCHES}",
        level="warn",
    )


def minor_of(scene: Scene) -> int | None:
    """The minor release of Kubernetes; None where the version does not say."""
    release = RELEASE.match(scene.cluster.version)
    return int(release["minor"]) if release else None


def _kernel(text: str) -> tuple[int, int] | None:
    match = KERNEL.match(text)
    return (int(match["major"]), int(match["minor"])) if match else None


def _missing(host: Host, wanted: tuple[str, ...]) -> list[str]:
    names = [name.replace("-", "_") for name in wanted]
    return [name for name in host.found.missing_modules if name in names]


def _below(found: int | None, least: int) -> bool:
    return found is not None and found < least
