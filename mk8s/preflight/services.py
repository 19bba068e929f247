"""Checks of what else runs on a host and may forbid what a cluster does, one host at a time. Pure.

Sources: RKE2's documentation (known issues, requirements) and its install script (fapolicyd), K3s' and
k0s' requirements, for SELinux, NetworkManager, nm-cloud-setup and Wicked.
"""

from __future__ import annotations

from fnmatch import fnmatchcase

from mk8s.preflight.base import Host, Scene, Trouble, of_each_host
from mk8s.preflight.gathering import FORWARDING

__all__: list[str] = []

PACKAGES = "packages"  # how the ids of artifacts begin that bring RPMs


@of_each_host("firewall", "no firewall stands in the way")
def firewall(host: Host, scene: Scene) -> Trouble | None:
    """VRRP is no port, so nobody can try whether it gets through."""
    walls = host.found.firewalls
    if not walls:
        return None
    vrrp = host.node.is_server and scene.cluster.balancer.by in ("keepalived", "cplb")
    return Trouble(
        f"{' and '.join(walls)} {'is' if len(walls) == 1 else 'are'} active",
        "turn it off, or let the cluster's ports and its pod and service networks through"
        + (", and IP protocol 112 (VRRP) between the servers" if vrrp else ""),
        level="warn",
    )


@of_each_host("network-manager", "NetworkManager leaves pod networks alone")
def network_manager(host: Host, _scene: Scene) -> Trouble | None:
    if not _runs(host, "NetworkManager"):
        return None
    known = [word for line in host.found.unmanaged for word in line.replace(",", ";").split(";")]
    patterns = [word.strip().removeprefix("interface-name:") for word in known]
    managed = [name for name in host.wants.unmanaged if not any(fnmatchcase(name, p) for p in patterns)]
    if not managed:
        return None
    devices = ";".join(f"interface-name:{name}" for name in host.wants.unmanaged)
    return Trouble(
        f"NetworkManager runs and does not leave {', '.join(managed)} alone: it takes routes away",
        "write `[keyfile]` and, in a second line, "
        f"`unmanaged-devices={devices}` to /etc/NetworkManager/conf.d/mk8s.conf, then "
        "`systemctl reload NetworkManager`",
        level="warn",
    )


@of_each_host("nm-cloud-setup", "nm-cloud-setup does not change routes")
def nm_cloud_setup(host: Host, scene: Scene) -> Trouble | None:
    units = [host.found.units.get(name) for name in ("nm-cloud-setup", "nm-cloud-setup.timer")]
    if host.wants.nm_cloud_setup == "fine" or not any(unit and unit.starts for unit in units):
        return None
    refuses = host.wants.nm_cloud_setup == "refuses"
    what = (
        f"the service of {scene.cluster.version} refuses to start beside it"
        if refuses
        else "it takes the pod network's routes away"
    )
    return Trouble(
        f"nm-cloud-setup is enabled: {what}",
        "`systemctl disable --now nm-cloud-setup.service nm-cloud-setup.timer`, and reboot",
        level="error" if refuses else "warn",
    )


@of_each_host("wicked", "Wicked keeps forwarding on")
def wicked(host: Host, _scene: Scene) -> Trouble | None:
    lines = [line.replace(" ", "") for _, line in host.found.setting_files]
    if not _runs(host, "wickedd") or f"{FORWARDING}=1" in lines:
        return None
    return Trouble(
        f"Wicked runs, and no file sets {FORWARDING}: it turns forwarding off when it reloads",
        f"write {FORWARDING}=1 and net.ipv6.conf.all.forwarding=1 into a file of /etc/sysctl.d",
        level="warn",
    )


@of_each_host("fapolicyd", "fapolicyd lets the distro's programs run")
def fapolicyd(host: Host, _scene: Scene) -> Trouble | None:
    folders = [each.rstrip("/") + "/" for each in host.wants.trusted_dirs]
    trusted = {each.rstrip("/") + "/" for each in host.found.trusted}
    denied = [each for each in folders if each not in trusted] if _runs(host, "fapolicyd") else []
    if not denied:
        return None
    rules = "; ".join(f"allow perm=any all : dir={folder}" for folder in denied)
    return Trouble(
        f"fapolicyd runs, and no rule of it lets programs below {', '.join(denied)} run",
        f"write into /etc/fapolicyd/rules.d/80-mk8s.rules, one to a line: {rules}; then restart fapolicyd",
        level="warn",
    )


@of_each_host("selinux", "SELinux does not stand in the way")
def selinux(host: Host, scene: Scene) -> Trouble | None:
    """Settled where the distro's policy is there, or where the manifest brings packages."""
    policy, missing = host.wants.policy_packages, host.found.missing_packages
    brought = any(name.startswith(PACKAGES) for name in scene.cluster.artifacts)
    if not host.found.selinux or brought:
        return None
    if policy and not set(policy) & set(missing):
        return None
    lacking = [name for name in policy if name in missing]
    return Trouble(
        "SELinux is enforcing" + (f", and {', '.join(lacking)} is not installed" if lacking else ""),
        f"install {', '.join(policy) or 'container-selinux'}, or bring the RPMs as `artifacts.packages`, or "
        "make SELinux permissive",
        level="warn",
    )


@of_each_host("apparmor", "AppArmor has its parser")
def apparmor(host: Host, _scene: Scene) -> Trouble | None:
    if not host.found.apparmor_without_parser:
        return None
    return Trouble(
        "the kernel has AppArmor on, and apparmor_parser is not there: containers may not start",
        "install the package apparmor",
        level="warn",
    )


@of_each_host("users", "the users that the profile asks for exist")
def users(host: Host, _scene: Scene) -> Trouble | None:
    missing = host.found.missing_users
    if not missing:
        return None
    ways = "; ".join(f"`useradd -r -s /sbin/nologin -M {name} -U`" for name in missing)
    return Trouble(
        f"there is no user {', '.join(missing)}: with its CIS profile the service refuses to start", ways
    )


def _runs(host: Host, name: str) -> bool:
    return name in host.found.units and host.found.units[name].runs
