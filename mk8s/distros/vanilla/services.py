"""How the units of a simulated vanilla node live: what each reads, waits for, opens, and fails with.

Each life reads the files that the driver wrote, as the real program does, so a wrong flag is seen here too.
What hosts become together is kept by `mk8s.kube.world`. Used by simulation alone; begin at `SERVICES`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from pathlib import PurePosixPath
from urllib.parse import urlsplit

import yaml

from mk8s.distros.vanilla.commands import HEALTH
from mk8s.distros.vanilla.paths import ETCD_CLUSTER, ETCD_DATA, kubeconfig_of, unit_path
from mk8s.kube.world import API, World
from transports.simulated import ServiceFailed, ServiceModel, SimulatedHost, SimulatedService, Span

__all__ = ["ETCD_PORT", "PARTS", "flags_of", "models"]

RESTART_AFTER = 5.0  # seconds, RestartSec in all units
PARTS: Mapping[str, Span] = {
    "vanilla:etcd-start": Span(0.5, 2.0),  # order of magnitude
    "vanilla:etcd-looks-again": Span(1, 1),
    # 5.6 to 6.8 s with etcd, measured with v1.20.2 on two busy cores; "about 10 s" says KTHW 08.
    "vanilla:kube-apiserver-start": Span(5, 12),
    "vanilla:kube-apiserver-asks-again": Span(1, 1),
    "vanilla:kube-controller-manager-start": Span(1, 3),  # order of magnitude
    "vanilla:kube-scheduler-start": Span(1, 3),
    "vanilla:kubelet-start": Span(2, 6),  # 5.5 s measured with v1.20.2, which looks for Docker five times
    "vanilla:kubelet-asks-again": Span(2, 2),
    "vanilla:kube-proxy-start": Span(1, 2),  # order of magnitude
    "vanilla:kube-proxy-asks-again": Span(2, 2),
    "vanilla:node-network": Span(3, 15),  # 10.6 s with routes and a bridge, measured with v1.20.2
}
"""How long the parts of the units' lives take."""
ETCD_PORT, PEERS, KUBELET = 2379, 2380, 10250
APISERVER_PATIENCE = 20  # times that an API server tries to reach etcd, once a second, before it exits

NO_ENVIRONMENT = "Failed to load environment files: No such file or directory"
NO_PROGRAM = "Failed at step EXEC spawning {}: No such file or directory"
NO_FILE = "open {}: no such file or directory"
NO_ETCD = "Error: context deadline exceeded"
NO_API = 'error: Get "https://127.0.0.1:6443/api": dial tcp 127.0.0.1:6443: connect: connection refused'
NO_RUNTIME = "failed to run Kubelet: unable to determine runtime API version: connect: connection refused"

Life = Callable[[World, SimulatedHost, SimulatedService], Iterator[float]]


def flags_of(host: SimulatedHost, component: str) -> Mapping[str, str]:
    """The flags in a unit file, and the program under the empty name."""
    text = host.disk.read(unit_path(component)).decode()
    line = next(line for line in text.replace(" \\\n", " ").splitlines() if line.startswith("ExecStart="))
    program, *words = line.removeprefix("ExecStart=").split()
    flags = dict(word.strip('"').removeprefix("--").split("=", 1) for word in words)
    return {"": program, **flags}


def _begin(host: SimulatedHost, component: str) -> Mapping[str, str]:
    """Read the unit's flags. Raises ServiceFailed for a program or a file that is not there."""
    flags = flags_of(host, component)
    if PurePosixPath(flags[""]) not in host.files:
        raise ServiceFailed(NO_PROGRAM.format(flags[""]))
    for name, value in flags.items():
        if name.endswith(("file", "config", "certificate", "key")) and PurePosixPath(value) not in host.files:
            raise ServiceFailed(NO_FILE.format(value))
    return flags


def _etcd(world: World, host: SimulatedHost, _service: SimulatedService) -> Iterator[float]:
    """Ready once it has a majority beside it, however long that takes."""
    flags = _begin(host, "etcd")
    if ETCD_CLUSTER not in host.files:
        raise ServiceFailed(NO_ENVIRONMENT)
    lines = dict(line.split("=", 1) for line in host.disk.read(ETCD_CLUSTER).decode().splitlines())
    initial = dict(member.split("=", 1) for member in lines["ETCD_INITIAL_CLUSTER"].split(","))
    yield host.seconds("vanilla:etcd-start")
    world.etcd.start(
        host,
        flags["name"],
        flags["initial-advertise-peer-urls"],
        initial,
        new=lines["ETCD_INITIAL_CLUSTER_STATE"] == "new",
        has_data=host.disk.exists(ETCD_DATA / "member"),
    )
    host.disk.make_folder(ETCD_DATA / "member")
    while not world.etcd.has_quorum:
        yield host.seconds("vanilla:etcd-looks-again")
    world.open(host, ETCD_PORT, PEERS)


def _apiserver(world: World, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
    service.ready()  # Type=simple
    _begin(host, "kube-apiserver")
    yield host.seconds("vanilla:kube-apiserver-start")
    for _ in range(APISERVER_PATIENCE):
        if _serves(world, host):
            break
        yield host.seconds("vanilla:kube-apiserver-asks-again")
    else:
        raise ServiceFailed(NO_ETCD)
    world.open(host, API)


def _serves(world: World, host: SimulatedHost) -> bool:
    """Whether the host's own etcd answers the API server's requests: a learner refuses them."""
    learns = any(member.host is host and member.learner for member in world.etcd.members.values())
    return world.etcd.answers(host) and not learns


def _controller(component: str) -> Life:
    def life(world: World, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        service.ready()
        _begin(host, component)
        yield host.seconds(f"vanilla:{component}-start")
        if not world.serves(host):
            raise ServiceFailed(NO_API)
        world.open(host, HEALTH[component])

    return life


def _kubelet(world: World, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
    """It asks until its API server answers, and never exits for that."""
    service.ready()
    flags = _begin(host, "kubelet")
    containerd = host.service("containerd.service")
    yield host.seconds("vanilla:kubelet-start")
    if containerd is None or containerd.state != "active":
        raise ServiceFailed(NO_RUNTIME)
    world.open(host, HEALTH["kubelet"], KUBELET)
    yield from _until_reached(world, host, "kubelet")
    network = world.cluster.net.cni != "none"
    ready_in = host.seconds("vanilla:node-network") if network else 0.0
    world.register(host, flags["hostname-override"], ready_in=ready_in, network=network)


def _proxy(world: World, host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
    service.ready()
    _begin(host, "kube-proxy")
    yield host.seconds("vanilla:kube-proxy-start")
    yield from _until_reached(world, host, "kube-proxy")
    world.open(host, HEALTH["kube-proxy"])


def _until_reached(world: World, host: SimulatedHost, component: str) -> Iterator[float]:
    kubeconfig = yaml.safe_load(host.disk.read(kubeconfig_of(component)))
    address = urlsplit(kubeconfig["clusters"][0]["cluster"]["server"]).hostname or ""
    while world.api_for(host, address) is None:
        yield host.seconds(f"vanilla:{component}-asks-again")


def models(world: World) -> dict[str, ServiceModel]:
    """Every unit of a vanilla node, for the hosts of this world."""
    return {f"{name}.service": _model(world, life, ports) for name, (life, ports) in SERVICES.items()}


def _model(world: World, life: Life, ports: tuple[int, ...]) -> ServiceModel:
    def gone(host: SimulatedHost, service: SimulatedService) -> None:
        world.close(host, *ports)
        if service.name == "etcd.service":
            world.etcd.stop(host)
        if service.name == "kubelet.service":
            world.kubelet_gone(host)

    return ServiceModel(lambda host, service: life(world, host, service), RESTART_AFTER, gone)


SERVICES: Mapping[str, tuple[Life, tuple[int, ...]]] = {
    "etcd": (_etcd, (ETCD_PORT, PEERS)),
    "kube-apiserver": (_apiserver, (API,)),
    "kube-controller-manager": (_controller("kube-controller-manager"), (HEALTH["kube-controller-manager"],)),
    "kube-scheduler": (_controller("kube-scheduler"), (HEALTH["kube-scheduler"],)),
    "kubelet": (_kubelet, (HEALTH["kubelet"], KUBELET)),
    "kube-proxy": (_proxy, (HEALTH["kube-proxy"],)),
}
"""Component -> how it lives, and what it listens on."""
