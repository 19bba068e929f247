"""What a server is asked about its cluster, as values. Each runs on a server, with its distro's `Tools`.

Laws:

1. Questions change nothing. Those that change something are named for it: apply, delete, label, taint.
2. The server's own API server is asked, at the loopback, wherever its kubeconfig points: so an answer says
   something about this server, and a dead endpoint cannot hide a cluster that works.
3. Answers stay small whatever the cluster's size: templates print only what `mk8s.kube.views` reads.
4. Every operation begins with ``kube.`` and has its model in `mk8s.kube.model`.

Begin reading at `kubectl`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import PurePosixPath

from mk8s.distros.base import Tools
from transports.base import Command

__all__ = [
    "LOCAL_API",
    "api_answers",
    "apply",
    "etcd_health",
    "etcd_members",
    "get",
    "get_lease",
    "get_node",
    "get_nodes",
    "get_workload",
    "healthz",
    "kubectl",
    "label_node",
    "readyz",
    "taint_node",
]

LOCAL_API = "https://127.0.0.1:6443"
PATIENCE = 10  # seconds for one answer of an API server
SECONDS_TO_APPLY = 120.0

# Go's %q is JSON for all that Kubernetes lets into these fields. The empty last elements take the commas.
NODE = (
    '{"name":{{printf "%q" .metadata.name}},"version":{{printf "%q" .status.nodeInfo.kubeletVersion}},'
    '"unschedulable":{{if .spec.unschedulable}}true{{else}}false{{end}},'
    '"labels":{ {{range $k, $v := .metadata.labels}}{{printf "%q:%q," $k $v}}{{end}}"":""},'
    '"taints":[{{range .spec.taints}}{"key":{{printf "%q" .key}},"effect":{{printf "%q" .effect}}},{{end}}'
    '{}],"conditions":[{{range .status.conditions}}{"type":{{printf "%q" .type}},'
    '"status":{{printf "%q" .status}},"message":{{if .message}}{{printf "%q" .message}}{{else}}""{{end}}},'
    '{{end}}{}]}{{"\\n"}}'
)
NODES = "{{range .items}}" + NODE + "{{end}}"

# Of a Deployment or a DaemonSet: wanted, and ready in the newest form
WORKLOAD = (
    "{{with .status.desiredNumberScheduled}}{{.}}{{else}}{{with .spec.replicas}}{{.}}{{else}}0{{end}}{{end}} "
    "{{with .status.numberReady}}{{.}}{{else}}{{with .status.readyReplicas}}{{.}}{{else}}0{{end}}{{end}}"
)

LEASE = '{{.spec.holderIdentity}} {{.spec.renewTime}}{{"\\n"}}'
ASK_LEASE = 'date -u +%s && exec "$@"\n'


def kubectl(
    tools: Tools,
    operation: str,
    description: str,
    *words: str,
    stdin: bytes | None = None,
    request_timeout: int = PATIENCE,
    timeout: float = 60.0,
) -> Command:
    """kubectl on a server, against its own API server. `operation` gets the prefix ``kube.``.

    `request_timeout`: seconds for one answer of the API; 0: none, for what waits or streams.
    """
    return Command(
        operation=f"kube.{operation}",
        description=description,
        args=(*tools.kubectl, "--server", LOCAL_API, f"--request-timeout={request_timeout}s", *words),
        stdin=stdin,
        timeout=timeout,
    )


# Nodes


def get_node(tools: Tools, name: str) -> Command:
    """One Node object. Read it with `views.read_nodes`; exit 1 and ``NotFound`` when there is none."""
    return kubectl(
        tools, "get-node", f"look for node {name}", "get", "node", name, "-o", f"go-template={NODE}"
    )


def get_nodes(tools: Tools) -> Command:
    """All Node objects. Read them with `views.read_nodes`."""
    return kubectl(tools, "get-nodes", "look at all nodes", "get", "nodes", "-o", f"go-template={NODES}")


def label_node(tools: Tools, name: str, labels: Mapping[str, str]) -> Command:
    """Give a node these labels, also where it has others of the same keys."""
    words = [f"{key}={value}" for key, value in sorted(labels.items())]
    return kubectl(tools, "label-node", f"label node {name}", "label", "node", name, "--overwrite", *words)


def taint_node(tools: Tools, name: str, taint: str) -> Command:
    """Give a node a taint, such as ``KEY=:NoSchedule``; ``KEY:NoSchedule-`` takes it away."""
    return kubectl(tools, "taint-node", f"taint node {name}", "taint", "node", name, "--overwrite", taint)


# The control plane


def readyz(tools: Tools) -> Command:
    """Every check of this server's API server. Exit 1 while one fails. Judge it with `readyz_is_ok`."""
    return kubectl(
        tools, "readyz", "ask the API server whether it is ready", "get", "--raw", "/readyz?verbose"
    )


def api_answers(tools: Tools) -> Command:
    """Exit 0 when this server's API server answers at all, ready or not."""
    return kubectl(tools, "version", "ask the API server for its version", "get", "--raw", "/version")


def healthz(tools: Tools, port: int, *, tls: bool = True) -> Command:
    """Exit 0 when a component of this server says at ``/healthz`` on the loopback that it is well.

    kubectl asks: it is there, where curl may not be. It shows the administrator's certificate, for without
    one it would ask for a password. What answers has a certificate of its own making: it is not verified.
    The ports: 10257 controller-manager, 10259 scheduler (TLS), 10248 kubelet, 10256 kube-proxy (plain).
    """
    known = tools.kubectl if tls else (tools.kubectl[0], "--kubeconfig", "/dev/null")  # agents have none
    where = ("--server", f"http{'s' if tls else ''}://127.0.0.1:{port}", f"--request-timeout={PATIENCE}s")
    careless = ("--insecure-skip-tls-verify",) if tls else ()
    return Command(
        operation="kube.healthz",
        description=f"ask port {port} whether it is healthy",
        args=(*known, *where, *careless, "get", "--raw", "/healthz"),
    )


def get_lease(tools: Tools, name: str) -> Command:
    """Who leads among ``kube-controller-manager`` or ``kube-scheduler``, and the server's own time."""
    asked = kubectl(
        tools,
        "get-lease",
        f"ask who leads as {name}",
        *("-n", "kube-system", "get", "lease", name, "-o", f"go-template={LEASE}"),
    )
    return replace(asked, script=ASK_LEASE)


# etcd


def etcd_members(tools: Tools) -> Command:
    """etcd's members, as this server's own one knows them. Read them with `views.read_members`.

    Raises ValueError where the cluster has no etcd that may be asked.
    """
    return _etcdctl(tools, "etcd-members", "ask etcd for its members", "member", "list", "-w", "json")


def etcd_health(tools: Tools) -> Command:
    """Whether each member answers and has a leader. Exit 1 when one does not; the answer is there still."""
    return _etcdctl(
        tools, "etcd-health", "ask all of etcd's members", "endpoint", "health", "--cluster", "-w", "json"
    )


def _etcdctl(tools: Tools, operation: str, description: str, *words: str) -> Command:
    if tools.etcdctl is None:
        raise ValueError("this cluster has no etcd that mk8s may ask")
    return replace(tools.etcdctl(words), operation=f"kube.{operation}", description=description)


# Other objects


def get_workload(tools: Tools, kind: str, name: str, namespace: str = "kube-system") -> Command:
    """How many pods a ``deployment`` or ``daemonset`` wants and has ready. Judge: `workload_is_ready`."""
    return kubectl(
        tools,
        "get-workload",
        f"look at {kind} {name}",
        *("-n", namespace, "get", kind, name, "-o", f"go-template={WORKLOAD}"),
    )


def get(tools: Tools, *words: str) -> Command:
    """Any other ``kubectl get``, with its own words after that. Simulated hosts know no such objects."""
    return kubectl(tools, "get", f"look at {' '.join(words[:2])}", "get", *words)


def apply(tools: Tools, paths: Sequence[PurePosixPath] | PurePosixPath) -> Command:
    """Apply manifests that lie on the server, in order. May be repeated."""
    listed = [paths] if isinstance(paths, PurePosixPath) else list(paths)
    files = [word for path in listed for word in ("-f", str(path))]
    names = ", ".join(path.name for path in listed)
    return kubectl(tools, "apply", f"apply {names}", "apply", *files, timeout=SECONDS_TO_APPLY)
