"""What is in a host: everything that decides how the cached Debian tree looks.

Laws:

1. A tree is known by the text of this file: change anything here and it is built anew.
2. What mk8s must not need is not in it: no Python, no kubectl, nothing of Kubernetes.
3. The tree is the same for all hosts. Names, keys and addresses belong to `disk`.
"""

from __future__ import annotations

import gzip
import platform
import shutil
from collections.abc import Mapping
from pathlib import Path

from .processes import run

__all__ = ["LEFT_OUT", "PACKAGES", "PASSWORD", "SUITE", "USERS", "customise", "parse_kernel_options"]

SUITE = "bookworm"
PACKAGES = """
    systemd systemd-sysv dbus libpam-systemd openssh-server sudo procps less tar gzip mount util-linux
    kmod iproute2 iputils-ping iptables nftables ipset conntrack ebtables ethtool socat curl openssl
    ca-certificates
""".split()  # noqa: SIM905  words read better than quotes and commas
LEFT_OUT = tuple(f"/usr/share/{name}/*" for name in ("doc", "man", "locale", "info", "lintian"))

USERS = {"root": 0, "dev": 1000, "pw": 1001}
"""Who can log in with the lab's key, and their numbers: `dev` has sudo without a password, `pw` with one."""

PASSWORD = "lab-password"  # noqa: S105  of `pw`, for sudo and for SSH; no secret, the docs print it
SUDOERS = {"dev": "dev ALL=(ALL:ALL) NOPASSWD: ALL\n", "pw": "pw ALL=(ALL:ALL) ALL\n"}

# units that cannot work, or are only noise, in a host without devices and a kernel of its own
MASKED = """
    apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer e2scrub_all.timer e2scrub_reap.service
    fstrim.timer getty@tty1.service console-getty.service getty-static.service systemd-pstore.service
    systemd-remount-fs.service systemd-firstboot.service sys-kernel-debug.mount sys-kernel-tracing.mount
    sys-kernel-config.mount dev-hugepages.mount
""".split()  # noqa: SIM905
# /dev/kmsg is the machine's: one journal of it is enough
JOURNAL = """[Journal]
ReadKMsg=no
Storage=persistent
SystemMaxUse=64M
RateLimitIntervalSec=0
SyncIntervalSec=5s
"""
# Where the kernel has no modules, those that installers load are listed as built in if they are:
# `modprobe` then succeeds for what is there and fails for what is not. Kernel option -> path.
MODULES = {
    "OVERLAY_FS": "fs/overlayfs/overlay",
    "BRIDGE": "net/bridge/bridge",
    "BRIDGE_NETFILTER": "net/bridge/br_netfilter",
    "VXLAN": "drivers/net/vxlan/vxlan",
    "VETH": "drivers/net/veth",
    "TUN": "drivers/net/tun",
    "NF_CONNTRACK": "net/netfilter/nf_conntrack",
    "NF_NAT": "net/netfilter/nf_nat",
    "NF_TABLES": "net/netfilter/nf_tables",
    "IP_NF_IPTABLES": "net/ipv4/netfilter/ip_tables",
    "IP_NF_FILTER": "net/ipv4/netfilter/iptable_filter",
    "IP_NF_NAT": "net/ipv4/netfilter/iptable_nat",
    "IP_SET": "net/netfilter/ipset/ip_set",
    "IP_VS": "net/netfilter/ipvs/ip_vs",
    "IP_VS_RR": "net/netfilter/ipvs/ip_vs_rr",
    "IP_VS_WRR": "net/netfilter/ipvs/ip_vs_wrr",
    "IP_VS_SH": "net/netfilter/ipvs/ip_vs_sh",
    "NET_IPIP": "net/ipv4/ipip",
    "DUMMY": "drivers/net/dummy",
    "WIREGUARD": "drivers/net/wireguard/wireguard",
    "NETFILTER_XT_MATCH_CONNTRACK": "net/netfilter/xt_conntrack",
    "NETFILTER_XT_MATCH_COMMENT": "net/netfilter/xt_comment",
    "BLK_DEV_LOOP": "drivers/block/loop",
}


def customise(root: Path) -> None:
    """Turn a fresh Debian tree into the one that all hosts share."""
    _add_users(root)
    _forget_identity(root)
    _choose_units(root)
    if not outer_modules().exists():
        _list_built_in_modules(root)
    for junk in ("var/cache/apt", "var/lib/apt/lists", "var/log"):
        shutil.rmtree(root / junk, ignore_errors=True)
        (root / junk).mkdir(parents=True)
    (root / "var/log/journal").mkdir()


def outer_modules() -> Path:
    """This machine's modules, which hosts see read-only where they exist."""
    return Path("/lib/modules") / platform.release()


def _add_users(root: Path) -> None:
    for user, text in SUDOERS.items():
        run(["chroot", root, "useradd", "-m", "-s", "/bin/bash", "-u", str(USERS[user]), user])
        _write(root / "etc/sudoers.d" / user, text, 0o440)
    run(["chroot", root, "chpasswd"], stdin=f"pw:{PASSWORD}\n")


def _forget_identity(root: Path) -> None:
    """What must differ between hosts, or came from the machine that built the tree."""
    for name in ("etc/machine-id", "etc/resolv.conf", "etc/default/locale"):
        _write(root / name, "")
    (root / "var/lib/dbus/machine-id").unlink(missing_ok=True)
    for key in root.glob("etc/ssh/ssh_host_*"):
        key.unlink()


def _choose_units(root: Path) -> None:
    _write(root / "etc/systemd/journald.conf.d/lab.conf", JOURNAL)
    units = root / "etc/systemd/system"
    links = dict.fromkeys(MASKED, "/dev/null") | {"default.target": "/lib/systemd/system/multi-user.target"}
    for unit, target in links.items():
        (units / unit).unlink(missing_ok=True)
        (units / unit).symlink_to(target)


def _list_built_in_modules(root: Path) -> None:
    options = _kernel_options()
    lines = [f"kernel/{path}.ko\n" for option, path in MODULES.items() if options.get(option) == "y"]
    folder = root / "lib/modules" / platform.release()
    _write(folder / "modules.order", "")
    _write(folder / "modules.builtin", "".join(lines))
    run(["depmod", "-b", root, platform.release()])


def _kernel_options() -> Mapping[str, str]:
    plain, packed = Path("/boot") / f"config-{platform.release()}", Path("/proc/config.gz")
    if plain.exists():
        return parse_kernel_options(plain.read_text())
    return parse_kernel_options(gzip.decompress(packed.read_bytes()).decode()) if packed.exists() else {}


def parse_kernel_options(text: str) -> Mapping[str, str]:
    """CONFIG_NAME=value lines of a kernel's configuration, without the CONFIG_."""
    pairs = (line.split("=", 1) for line in text.splitlines() if line.startswith("CONFIG_") and "=" in line)
    return {name.removeprefix("CONFIG_"): value for name, value in pairs}


def _write(path: Path, text: str, mode: int = 0o644) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
