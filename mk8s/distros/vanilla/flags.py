"""The flags of each component, by version. Pure.

Each function gives what mk8s sets; `command_lines` adds the user's. One server's API server asks that
server's own etcd alone, so growth changes no flag of a server that is there.

Which flag follows which fact of which version stands in docs/vanilla.md.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import PurePosixPath

from mk8s.distros.base import Situation
from mk8s.distros.common import placement
from mk8s.distros.upstream import images, parts
from mk8s.distros.upstream.versions import release_of
from mk8s.distros.vanilla import settings, versions
from mk8s.distros.vanilla.paths import ENCRYPTION, ETCD_DATA, ETCD_PKI, PKI, config_of, kubeconfig_of
from mk8s.distros.vanilla.settings import Flags

__all__ = [
    "CONTAINERD",
    "CONTROL_PLANE_TAINT",
    "RENDERED",
    "command_line",
    "components",
    "minor_of",
    "program",
    "taints",
]

CONTAINERD = "unix:///run/containerd/containerd.sock"
CONTROL_PLANE_TAINT = "node-role.kubernetes.io/control-plane"


def minor_of(s: Situation) -> int:
    return release_of(s.cluster).minor


def components(s: Situation) -> tuple[str, ...]:
    """The units of this node, in the order in which they are started."""
    return settings.COMPONENTS if s.node.is_server else ("kubelet", "kube-proxy")


def program(s: Situation, name: str) -> PurePosixPath:
    return parts.bin_dir(s) / name


def command_line(s: Situation, component: str) -> list[str]:
    """The program and its flags, the user's among them."""
    rendered = RENDERED[component](s)
    flags = settings.with_flags(rendered, s.node, component) if component in settings.FLAGGED else rendered
    return [str(program(s, component)), *(f"--{name}={value}" for name, value in flags.items())]


def _tls(names: tuple[str, str], stem: PurePosixPath) -> Flags:
    return {names[0]: f"{stem}.crt", names[1]: f"{stem}.key"}


def etcd(s: Situation) -> Flags:
    """Whom it begins with is in its environment instead: that is found out when it joins."""
    peer, here = f"https://{s.node.ip}:2380", f"https://{s.node.ip}:2379"
    return {
        "name": s.node.name,
        "data-dir": str(ETCD_DATA),
        "listen-client-urls": f"{here},https://127.0.0.1:2379",
        "advertise-client-urls": here,
        "listen-peer-urls": peer,
        "initial-advertise-peer-urls": peer,
        "initial-cluster-token": f"{s.cluster.name}-etcd",
        "listen-metrics-urls": "http://127.0.0.1:2381",
        "auto-compaction-retention": "8",
        **_tls(("cert-file", "key-file"), ETCD_PKI / "server"),
        "trusted-ca-file": str(ETCD_PKI / "ca.crt"),
        "client-cert-auth": "true",
        **_tls(("peer-cert-file", "peer-key-file"), ETCD_PKI / "server"),
        "peer-trusted-ca-file": str(ETCD_PKI / "ca.crt"),
        "peer-client-cert-auth": "true",
    }


def apiserver(s: Situation) -> Flags:
    insecure = {} if minor_of(s) >= versions.INSECURE_PORTS_GONE else {"insecure-port": "0"}
    return {
        "advertise-address": s.node.ip,
        "bind-address": "0.0.0.0",  # noqa: S104 - what an API server is for
        "secure-port": "6443",
        **insecure,
        "allow-privileged": "true",
        "authorization-mode": "Node,RBAC",
        "enable-admission-plugins": "NodeRestriction",
        "client-ca-file": str(PKI / "ca.crt"),
        **_tls(("tls-cert-file", "tls-private-key-file"), PKI / "apiserver"),
        "event-ttl": "1h",
        "service-node-port-range": "30000-32767",
        "service-cluster-ip-range": s.cluster.net.service_cidr,
        **_towards_etcd(),
        **_towards_kubelets(),
        **_service_accounts(s),
        **_aggregation(),
    }


def _towards_etcd() -> Flags:
    return {
        "etcd-servers": "https://127.0.0.1:2379",
        "etcd-cafile": str(ETCD_PKI / "ca.crt"),
        **_tls(("etcd-certfile", "etcd-keyfile"), PKI / "apiserver-etcd-client"),
        "encryption-provider-config": str(ENCRYPTION),
    }


def _towards_kubelets() -> Flags:
    client = ("kubelet-client-certificate", "kubelet-client-key")
    return {
        "kubelet-certificate-authority": str(PKI / "ca.crt"),
        **_tls(client, PKI / "apiserver-kubelet-client"),
        "kubelet-preferred-address-types": "InternalIP,Hostname,ExternalIP",
    }


def _service_accounts(s: Situation) -> Flags:
    return {
        "service-account-issuer": f"https://kubernetes.default.svc.{s.cluster.net.dns_domain}",
        "service-account-key-file": str(PKI / "sa.pub"),
        "service-account-signing-key-file": str(PKI / "sa.key"),
    }


def _aggregation() -> Flags:
    return {
        "requestheader-client-ca-file": str(PKI / "front-proxy-ca.crt"),
        "requestheader-allowed-names": "front-proxy-client",
        "requestheader-username-headers": "X-Remote-User",
        "requestheader-group-headers": "X-Remote-Group",
        "requestheader-extra-headers-prefix": "X-Remote-Extra-",
        **_tls(("proxy-client-cert-file", "proxy-client-key-file"), PKI / "front-proxy-client"),
    }


def _delegating(component: str) -> Flags:
    """How a component reaches the API, and how it asks the API who asks it."""
    kubeconfig = str(kubeconfig_of(component))
    return {
        "authentication-kubeconfig": kubeconfig,
        "authorization-kubeconfig": kubeconfig,
        "bind-address": "127.0.0.1",
        **_tls(("tls-cert-file", "tls-private-key-file"), PKI / component),
    }


def controller_manager(s: Situation) -> Flags:
    """It allots pod networks only where the user brings the network: for its own, mk8s has done so."""
    insecure = {} if minor_of(s) >= versions.INSECURE_PORTS_GONE else {"port": "0"}
    return {
        **_delegating("kube-controller-manager"),
        **insecure,
        "kubeconfig": str(kubeconfig_of("kube-controller-manager")),
        "client-ca-file": str(PKI / "ca.crt"),
        "requestheader-client-ca-file": str(PKI / "front-proxy-ca.crt"),
        "root-ca-file": str(PKI / "ca.crt"),
        **_tls(("cluster-signing-cert-file", "cluster-signing-key-file"), PKI / "ca"),
        "service-account-private-key-file": str(PKI / "sa.key"),
        "use-service-account-credentials": "true",
        "leader-elect": "true",
        "allocate-node-cidrs": str(s.cluster.net.cni == "none").lower(),
        "cluster-cidr": s.cluster.net.pod_cidr,
        "service-cluster-ip-range": s.cluster.net.service_cidr,
        "cluster-name": s.cluster.name,
    }


def scheduler(s: Situation) -> Flags:
    del s
    return {**_delegating("kube-scheduler"), "config": str(config_of("kube-scheduler"))}


def kubelet(s: Situation) -> Flags:
    """What is no field of its configuration in this version."""
    minor = minor_of(s)
    flags = {
        "config": str(config_of("kubelet")),
        "kubeconfig": str(kubeconfig_of("kubelet")),
        "hostname-override": s.node.name,
        "node-ip": s.node.ip,
    }
    if minor < versions.CONTAINER_RUNTIME_GONE:
        flags["container-runtime"] = "remote"
    if minor < versions.RUNTIME_IN_CONFIG_SINCE:
        flags["container-runtime-endpoint"] = CONTAINERD
    if minor < versions.CNI_FLAGS_GONE:
        flags |= {"network-plugin": "cni", "cni-conf-dir": "/etc/cni/net.d", "cni-bin-dir": "/opt/cni/bin"}
    if minor < versions.PAUSE_FLAG_GONE:
        flags["pod-infra-container-image"] = images.named(s, "pause")
    if minor < versions.TAINTS_IN_CONFIG_SINCE and taints(s):
        flags["register-with-taints"] = ",".join(taints(s))
    if s.node.labels:
        flags["node-labels"] = ",".join(placement.labels(s.node))
    return flags


def taints(s: Situation) -> list[str]:
    """What the kubelet gives its Node: a tainted control plane's own, and the node's."""
    own = [f"{CONTROL_PLANE_TAINT}=:NoSchedule"] if placement.is_tainted(s.cluster, s.node) else []
    return list(dict.fromkeys([*own, *s.node.taints]))


def proxy(s: Situation) -> Flags:
    del s
    return {"config": str(config_of("kube-proxy"))}


RENDERED: Mapping[str, Callable[[Situation], Flags]] = {
    "etcd": etcd,
    "kube-apiserver": apiserver,
    "kube-controller-manager": controller_manager,
    "kube-scheduler": scheduler,
    "kubelet": kubelet,
    "kube-proxy": proxy,
}
"""What mk8s sets, by component."""
