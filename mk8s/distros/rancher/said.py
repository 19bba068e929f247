"""What the engine says, in its own words where facts have them: for the model alone. Pure data.

``{name}`` is the engine's, ``{port}`` its supervisor's.
"""

from __future__ import annotations

__all__ = [
    "AGENT_REFUSED",
    "CA_CERTS",
    "DUPLICATE",
    "LEARNERS",
    "MISMATCH",
    "NODE_REFUSED",
    "NO_ANSWER",
    "NO_NETWORK",
    "POSTING",
    "RUNTIME_MISSING",
    "SERVER_REFUSED",
    "SILENT",
    "UP",
]

FATAL = 'level=fatal msg="{}"'
RUNTIME_MISSING = (
    'level=error msg="Shutdown request received: failed to get runtime image '
    'index.docker.io/rancher/rke2-runtime:{tag}: all endpoints failed"'
)
PREPARING = FATAL.format("starting kubernetes: preparing server: {}")
CA_CERTS = PREPARING.format(
    'failed to get CA certs: Get \\"{url}/cacerts\\": dial tcp {host}:{port}: connect: connection refused'
)
MISMATCH = FATAL.format(
    "failed to validate server configuration: critical configuration value mismatch: {key}"
)
SERVER_REFUSED = PREPARING.format("{url}/v1-{name}/server-bootstrap: 401 Unauthorized")
DUPLICATE = FATAL.format(
    "etcd cluster join failed: duplicate node name found, please use a unique name for this node"
)
LEARNERS = FATAL.format("ETCD join failed: etcdserver: too many learner members in cluster")
NODE_REFUSED = (
    'level=info msg="Waiting to retrieve agent configuration; server is not ready: Node password rejected, '
    "duplicate hostname or contents of '/etc/rancher/node/password' may not match server node-passwd entry\""
)
AGENT_REFUSED = 'level=error msg="failed to retrieve configuration: {url}/v1-{name}/config: 401 Unauthorized"'
NO_ANSWER = 'level=error msg="Failed to validate connection to cluster at {url}: connection refused"'

POSTING, NO_NETWORK, SILENT = (
    "kubelet is posting ready status",
    "cni plugin not initialized",
    "Kubelet stopped posting node status.",
)
UP = 'level=info msg="{name} is up and running"'
