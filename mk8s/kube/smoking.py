"""What `mk8s smoke` makes in a cluster, and asks there: manifests, commands, and how answers are read. Pure.

Everything lies in one namespace of its own. The commands run on a server with the distro's own kubectl;
HTTP is spoken by kubectl too, for nothing else is sure to be on a host.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from ipaddress import ip_address
from typing import Any

from mk8s.cluster import Cluster
from mk8s.distros.base import Tools
from mk8s.kube.commands import kubectl
from mk8s.kube.views import orderly
from transports.base import Command, Outcome

__all__ = [
    "GREETING",
    "PORT",
    "SECRET",
    "Pod",
    "Service",
    "create_namespace",
    "create_secret",
    "delete_namespace",
    "deploy",
    "execute",
    "fetch",
    "fetch_through_api",
    "get_events",
    "get_pods",
    "get_service",
    "has_account",
    "logs",
    "namespace_of",
    "port_forward",
    "read_events",
    "read_pods",
    "read_service",
    "stored_secret",
]

APP = "mk8s-smoke"
SECRET = "probe"  # noqa: S105 - the name of an object
PORT = 8080
GREETING = "mk8s-smoke serves"
SECONDS_TO_DELETE = 90

SERVE = (
    f"hostname > /www/index.html && echo {GREETING} && if command -v httpd >/dev/null; "
    f"then exec httpd -f -p {PORT} -h /www; else exec busybox httpd -f -p {PORT} -h /www; fi"
)

# `kubectl get --raw` is an HTTP client that is there wherever kubectl is. Agents may have none.
GET = """\
get() {
  if [ -x "$1" ]; then
    "$1" --kubeconfig /dev/null --request-timeout=5s --server "$2" get --raw / </dev/null
  elif command -v curl >/dev/null 2>&1; then curl -sS -m 5 "$2/"
  elif command -v wget >/dev/null 2>&1; then timeout 5 wget -q -O - "$2/"
  else echo "neither kubectl, curl nor wget is on this host" >&2; return 127
  fi
}
"""
FETCH = f"""\
{GET}
tries=0
until get "$1" "$2"; do
  tries=$((tries + 1))
  [ "$tries" -lt "$3" ] || exit 1
  sleep 1
done
"""
FORWARD = f"""\
{GET}
said=$(mktemp) || exit
"$@" >"$said" 2>&1 </dev/null &
forward=$!
trap 'kill "$forward" 2>/dev/null; rm -f "$said"' EXIT
left=20
while [ "$left" -gt 0 ] && kill -0 "$forward" 2>/dev/null; do
  port=$(sed -n 's/^Forwarding from 127\\.0\\.0\\.1:\\([0-9]*\\) .*/\\1/p' "$said")
  [ -n "$port" ] && get "$1" "http://127.0.0.1:$port" && exit 0
  left=$((left - 1))
  sleep 1
done
cat "$said" >&2
exit 1
"""
DELETE = """\
namespace=$1 time=$2
shift 2
"$@" -n "$namespace" delete pods --all --force --grace-period=0 --wait=false >/dev/null 2>&1
exec "$@" delete namespace "$namespace" --ignore-not-found --timeout="$time"
"""


@dataclass(frozen=True, slots=True)
class Pod:
    """A pod, as far as it matters here. `trouble`: why it does not run, in its own words."""

    name: str
    node: str
    ready: bool
    trouble: str


@dataclass(frozen=True, slots=True)
class Service:
    """Where the pods are reached."""

    ip: str
    node_port: int


def namespace_of(cluster: Cluster) -> str:
    """The same for the same cluster, so that what an interrupted smoke left is found."""
    return f"{APP}-{hashlib.sha256(cluster.name.encode()).hexdigest()[:8]}"


# What is made


def delete_namespace(tools: Tools, namespace: str) -> Command:
    """With all that is in it; waits until it is gone. Pods on a dead node would stay for ever: not here."""
    own = kubectl(tools, "delete-namespace", f"delete namespace {namespace}", request_timeout=0)
    return replace(
        own,
        script=DELETE,
        args=(namespace, f"{SECONDS_TO_DELETE}s", *own.args),
        timeout=SECONDS_TO_DELETE + 60.0,
    )


def create_namespace(tools: Tools, namespace: str) -> Command:
    """Pods of any kind may run in it, whatever the cluster's default is."""
    labels = {f"pod-security.kubernetes.io/{mode}": "privileged" for mode in ("enforce", "audit", "warn")}
    made = {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace, "labels": labels}}
    return _create(tools, f"create namespace {namespace}", made)


def create_secret(tools: Tools, namespace: str) -> Command:
    """A Secret that is none."""
    made = {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": SECRET, "namespace": namespace},
        "stringData": {"word": "not a secret, but stored like one"},
    }
    return _create(tools, "create a secret", made)


def deploy(tools: Tools, namespace: str, image: str, nodes: Sequence[str]) -> Command:
    """One pod on each of these nodes, and a Service of kind NodePort before them."""
    selector = {"app": APP}
    deployment = {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": APP, "namespace": namespace},
        "spec": {
            "replicas": len(nodes),
            "selector": {"matchLabels": selector},
            "template": {"metadata": {"labels": selector}, "spec": _pod(image, nodes, selector)},
        },
    }
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"name": APP, "namespace": namespace},
        "spec": {"type": "NodePort", "selector": selector, "ports": [{"port": PORT}]},
    }
    made = {"apiVersion": "v1", "kind": "List", "items": [deployment, service]}
    return _create(tools, "create a deployment and a service", made)


def _pod(image: str, nodes: Sequence[str], labels: Mapping[str, str]) -> dict[str, Any]:
    """Bound to the nodes by name, never two on one; taints keep it from none of them."""
    terms = [
        {"matchFields": [{"key": "metadata.name", "operator": "In", "values": [name]}]} for name in nodes
    ]
    apart = {"topologyKey": "kubernetes.io/hostname", "labelSelector": {"matchLabels": labels}}
    container = {
        "name": "web",
        "image": image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["sh", "-c", SERVE],
        "readinessProbe": {"httpGet": {"path": "/", "port": PORT}, "periodSeconds": 1},
        "volumeMounts": [{"name": "www", "mountPath": "/www"}],
    }
    return {
        "terminationGracePeriodSeconds": 1,
        "tolerations": [{"operator": "Exists"}],
        "affinity": {
            "nodeAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": {"nodeSelectorTerms": terms}},
            "podAntiAffinity": {"requiredDuringSchedulingIgnoredDuringExecution": [apart]},
        },
        "containers": [container],
        "volumes": [{"name": "www", "emptyDir": {}}],
    }


def _create(tools: Tools, description: str, made: Mapping[str, Any]) -> Command:
    return kubectl(
        tools,
        f"create-{made['kind'].lower()}",
        description,
        *("apply", "-f", "-"),
        stdin=json.dumps(made).encode(),
    )


# What is asked


def has_account(tools: Tools, namespace: str) -> Command:
    """Exit 0 once pods can be made in the namespace: its default account is there."""
    return kubectl(
        tools, "get-account", "look for the account", "-n", namespace, "get", "serviceaccount", "default"
    )


def get_pods(tools: Tools, namespace: str) -> Command:
    return kubectl(tools, "get-pods", "look at the pods", "-n", namespace, "get", "pods", "-o", "json")


def get_events(tools: Tools, namespace: str) -> Command:
    return kubectl(tools, "get-events", "look at the events", "-n", namespace, "get", "events", "-o", "json")


def get_service(tools: Tools, namespace: str) -> Command:
    return kubectl(
        tools, "get-service", "look at the service", "-n", namespace, "get", "service", APP, "-o", "json"
    )


def stored_secret(tools: Tools, namespace: str) -> Command:
    """The Secret as etcd has it. Raises ValueError where there is no etcd that may be asked."""
    if tools.etcdctl is None:
        raise ValueError("this cluster has no etcd that mk8s may ask")
    return tools.etcdctl(("get", f"/registry/secrets/{namespace}/{SECRET}", "--print-value-only"))


def logs(tools: Tools, namespace: str, pod: str) -> Command:
    return kubectl(tools, "logs", f"read the logs of {pod}", "-n", namespace, "logs", pod)


def execute(tools: Tools, namespace: str, pod: str) -> Command:
    """`hostname` in the pod."""
    return kubectl(tools, "exec", f"run a command in {pod}", "-n", namespace, "exec", pod, "--", "hostname")


def port_forward(tools: Tools, namespace: str, pod: str) -> Command:
    """Forward a free port of the server to the pod, and ask there. What is forwarded to ends with it."""
    forward = kubectl(
        tools,
        "port-forward",
        f"forward a port to {pod}",
        *("-n", namespace, "port-forward", f"pod/{pod}", f":{PORT}"),
        request_timeout=0,
    )
    return Command(
        operation=forward.operation, description=forward.description, script=FORWARD, args=forward.args
    )


def fetch_through_api(tools: Tools, namespace: str, pod: str) -> Command:
    """The pod's page through the API server's proxy."""
    path = f"/api/v1/namespaces/{namespace}/pods/{pod}:{PORT}/proxy/"
    return kubectl(tools, "proxy", f"ask {pod} through the API server", "get", "--raw", path)


def fetch(tools: Tools, url: str, tries: int = 10) -> Command:
    """A page over plain HTTP, without a path; asked again each second, for rules on nodes take a moment."""
    return Command(
        operation="kube.fetch",
        description=f"ask {url}",
        script=FETCH,
        args=(tools.kubectl[0], url, str(tries)),
        timeout=60.0 + 6 * tries,
    )


# How answers are read. Each raises ValueError for what is no such answer.


@orderly
def read_pods(outcome: Outcome) -> list[Pod]:
    return [_pod_of(item) for item in _items(outcome)]


def _pod_of(item: Mapping[str, Any]) -> Pod:
    status = item.get("status", {})
    containers = status.get("containerStatuses", [])
    ready = bool(containers) and all(container["ready"] for container in containers)
    return Pod(
        name=item["metadata"]["name"],
        node=item.get("spec", {}).get("nodeName", ""),
        ready=ready and "deletionTimestamp" not in item["metadata"],
        trouble="" if ready else _trouble(status, containers),
    )


def _trouble(status: Mapping[str, Any], containers: Sequence[Mapping[str, Any]]) -> str:
    """The container's own reason; before it has one, the scheduler's."""
    for container in containers:
        for kind in ("waiting", "terminated"):
            state = container.get("state", {}).get(kind)
            if state:
                return _said(state)
    for condition in status.get("conditions", []):
        if condition.get("status") == "False" and condition.get("type") == "PodScheduled":
            return _said(condition)
    return str(status.get("phase", ""))


def _said(state: Mapping[str, Any]) -> str:
    return ": ".join(str(state[key]) for key in ("reason", "message") if state.get(key))


@orderly
def read_events(outcome: Outcome) -> list[str]:
    """Warnings, the newest last: ``Failed: Failed to pull image …``."""
    warnings = [item for item in _items(outcome) if item.get("type") == "Warning"]
    warnings.sort(key=lambda item: str(item.get("lastTimestamp") or item.get("eventTime") or ""))
    return [_said(item) for item in warnings]


def _items(outcome: Outcome) -> list[Mapping[str, Any]]:
    items: list[Mapping[str, Any]] = json.loads(outcome.stdout)["items"]
    return items


@orderly
def read_service(outcome: Outcome) -> Service:
    """Where it is: its address is an address, for it becomes part of what other nodes are asked."""
    spec = json.loads(outcome.stdout)["spec"]
    return Service(str(ip_address(spec["clusterIP"])), int(spec["ports"][0]["nodePort"]))
