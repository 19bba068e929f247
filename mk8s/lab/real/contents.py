"""What is in each container image: compiled programs, and files of unpacked Debian packages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from mk8s.lab.processes import run

from .images import Image, Layer
from .libraries import LIBRARIES, closure, find_in, needed
from .recipe import COREDNS, ETCD_IMAGE, PAUSE, VERSION

__all__ = ["Ingredients", "node_images", "server_images"]

REGISTRY = "k8s.gcr.io"  # where kubeadm v1.20.2 says that its images come from
TEST_IMAGE = "registry.local/busybox:1.35"
TEMPORARY = {"tmp": 0o1777}
BASE = {
    "etc/passwd": "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n",
    "etc/group": "root:x:0:\nnogroup:x:65534:\n",
    "etc/nsswitch.conf": "hosts: files dns\n",
}
NETFILTER = (
    *("libip4tc2", "libip6tc2", "libxtables12", "libmnl0", "libnfnetlink0", "libnetfilter-conntrack3"),
    "libnftnl11",
)
NAME_SERVICE = (
    "libnss_files.so.2",
    "libnss_dns.so.2",
    "libresolv.so.2",
)  # loaded by name, so no program needs them


@dataclass(frozen=True, slots=True)
class Ingredients:
    """Folders: of the compiled programs, and one with each unpacked package under its name."""

    programs: Path
    packages: Path

    def libraries(self, programs: Sequence[Path], *packages: str) -> Mapping[str, Path]:
        roots = [self.packages / name for name in ("libc6", *packages)]
        return closure(programs, needed, find_in(roots))


def server_images(ingredients: Ingredients) -> list[Image]:
    """What only kubeadm runs from images."""
    servers = ("kube-apiserver", "kube-controller-manager", "kube-scheduler")
    return [*(_server(name, ingredients) for name in servers), _etcd(ingredients), _kube_proxy(ingredients)]


def node_images(ingredients: Ingredients) -> list[Image]:
    """What every cluster runs from images."""
    return [_pause(ingredients), _coredns(ingredients), _busybox(ingredients)]


def _server(name: str, ingredients: Ingredients) -> Image:
    layer = Layer({f"usr/local/bin/{name}": ingredients.programs / name}, BASE, folders=TEMPORARY)
    return Image(f"{REGISTRY}/{name}:{VERSION}", layer, command=[name])


def _pause(ingredients: Ingredients) -> Image:
    layer = Layer({"pause": ingredients.programs / "pause"})
    return Image(f"{REGISTRY}/pause:{PAUSE}", layer, entrypoint=["/pause"])


def _coredns(ingredients: Ingredients) -> Image:
    layer = Layer({"coredns": ingredients.programs / "coredns"}, BASE, folders=TEMPORARY)
    return Image(f"{REGISTRY}/coredns:{COREDNS}", layer, entrypoint=["/coredns"])


def _etcd(ingredients: Ingredients) -> Image:
    """Debian's etcd is not static."""
    packages = {"etcd": "etcd-server", "etcdctl": "etcd-client"}
    programs = {name: ingredients.packages / package / "usr/bin" / name for name, package in packages.items()}
    files = {f"usr/local/bin/{name}": path for name, path in programs.items()}
    files |= ingredients.libraries(list(programs.values()))
    layer = Layer(files, BASE, folders={**TEMPORARY, "var/lib/etcd": 0o700})
    return Image(f"{REGISTRY}/etcd:{ETCD_IMAGE}", layer, command=["etcd"])


def _kube_proxy(ingredients: Ingredients) -> Image:
    """With Debian's iptables, which uses nftables as a Debian host does, conntrack, and a shell."""
    packages = ingredients.packages
    files = {
        "usr/local/bin/kube-proxy": ingredients.programs / "kube-proxy",
        "usr/sbin/xtables-nft-multi": packages / "iptables/usr/sbin/xtables-nft-multi",
        "usr/sbin/xtables-legacy-multi": packages / "iptables/usr/sbin/xtables-legacy-multi",
        "usr/sbin/conntrack": packages / "conntrack/usr/sbin/conntrack",
        "bin/busybox": packages / "busybox-static/bin/busybox",
    }
    extensions = (packages / "iptables/usr" / LIBRARIES / "xtables").glob("*.so")
    files |= {f"usr/{LIBRARIES}/xtables/{path.name}": path.resolve() for path in sorted(extensions)}
    files |= ingredients.libraries(list(files.values()), *NETFILTER)
    files |= {f"etc/{name}": packages / "netbase/etc" / name for name in ("protocols", "services")}
    names = [f"{family}{verb}" for family in ("iptables", "ip6tables") for verb in ("", "-save", "-restore")]
    links = {f"usr/sbin/{name}": "xtables-nft-multi" for name in names} | {"bin/sh": "busybox"}
    return Image(
        f"{REGISTRY}/kube-proxy:{VERSION}", Layer(files, BASE, links, TEMPORARY), command=["kube-proxy"]
    )


def _busybox(ingredients: Ingredients) -> Image:
    """For pods of tests. The dynamic one: Debian's static busybox crashes when it looks up names."""
    program = ingredients.packages / "busybox/bin/busybox"
    files = {"bin/busybox": program, **ingredients.libraries([program])}
    libc = ingredients.packages / "libc6" / LIBRARIES
    files |= {f"{LIBRARIES}/{name}": (libc / name).resolve() for name in NAME_SERVICE}
    applets = run([program, "--list"]).stdout.split()
    links = {f"bin/{name}": "busybox" for name in applets if name != "busybox"}
    texts = {**BASE, "www/index.html": "hello from a pod\n"}
    return Image(TEST_IMAGE, Layer(files, texts, links, TEMPORARY), command=["sh"])
