"""What kubeadm and etcdctl say when they fail, in their own words, for simulated hosts.

Source: kubernetes cmd/kubeadm/app, etcd client/v3/retry_interceptor.go;
`specs/problems/kubeadm.yaml` recognises the same words.
"""

__all__ = [
    "ETCD_FAILED",
    "EXISTS",
    "IN_USE",
    "NODE_READY",
    "NOT_UP",
    "NOT_WELL",
    "NO_ANSWER",
    "NO_CERTIFICATES",
    "NO_MAJORITY",
    "NO_TOKEN",
    "OTHER_AUTHORITY",
]

PREFLIGHT = "error execution phase preflight: "
NO_ANSWER = (
    PREFLIGHT + "couldn't validate the identity of the API Server: dial tcp {}:6443: connection refused"
)
NO_TOKEN = (
    PREFLIGHT + "couldn't validate the identity of the API Server: could not find a JWS signature in the "
    'cluster-info ConfigMap for token ID "{}"'
)
OTHER_AUTHORITY = (
    PREFLIGHT
    + "couldn't validate the identity of the API Server: cluster CA found in cluster-info ConfigMap "
    'is invalid: none of the public keys "{}" are pinned'
)
NO_CERTIFICATES = (
    "error execution phase control-plane-prepare/download-certs: error downloading certs: error downloading "
    'the secret: Secret "kubeadm-certs" was not found in the "kube-system" Namespace.'
)
ETCD_FAILED = (
    "error execution phase control-plane-join/etcd: error creating local etcd static pod manifest file: {}"
)
NODE_READY = (
    'error execution phase kubelet-start: a Node with name "{}" and status "Ready" already exists in the '
    "cluster. You must delete the existing Node or change the name of this new joining Node"
)
NOT_WELL = "error execution phase kubelet-start: the kubelet is not healthy after 4m0s"
NOT_UP = "error execution phase wait-control-plane: couldn't initialize a Kubernetes cluster"
IN_USE = "\t[ERROR Port-{0}]: Port {0} is in use"
EXISTS = "\t[ERROR FileAvailable-{}]: {} already exists"
NO_MAJORITY = (
    '{"level":"warn","logger":"etcd-client","caller":"v3/retry_interceptor.go:62","msg":"retrying of unary '
    'invoker failed","target":"etcd-endpoints://0xc0002ee1c0/127.0.0.1:2379","attempt":0,'
    '"error":"rpc error: code = DeadlineExceeded desc = context deadline exceeded"}\n'
    "Error: context deadline exceeded"
)
