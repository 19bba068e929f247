"""How long kubeadm's commands and the parts of its units' lives take in simulation, and where a run shows it.

Beside `model` and `world`, which draw these. A test compares the names with what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

from mk8s.distros.phases import Phases, Shown
from mk8s.kube.etcd import SYNC
from mk8s.paces import ASKING, CHANGE, GLANCE, LOOK
from transports.simulated import Span

__all__ = ["DURATIONS", "PHASES"]

ETCDCTL = Span(0.1, 0.4)  # etcdctl in its container; order of magnitude

DURATIONS: Mapping[str, Span] = {
    "kubeadm.ask": LOOK,
    "kubeadm.missing-images": Span(0.2, 1.0),  # kubeadm lists what it needs, crictl what is there
    "kubeadm.has-token": ASKING,
    "kubeadm.has-certificates": ASKING,
    "kubeadm.has-no-config": GLANCE,
    "kubeadm.create-token": Span(0.2, 0.8),  # kubeadm begins, and asks its API
    "kubeadm.upload-certificates": Span(0.5, 2.0),
    "kubeadm.start": Span(0.2, 0.6),  # a unit is loaded, and begins; nobody waits for it
    "kubeadm.stop": Span(0.5, 5.0),
    "kubeadm.reset": Span(5, 15),  # every container is stopped; order of magnitude
    "kubeadm.forget-config": CHANGE,
    "kubeadm.has-no-member": ETCDCTL,
    "kubeadm.remove-member": ETCDCTL,
    "kubeadm.forget-node": ASKING,
    "kubeadm.etcdctl": ETCDCTL,
    # Lives. v1.20.2 on two busy cores: init took 17 to 25 s, joining a server 27 to 41, a worker 7 to 20.
    "kubeadm:preflight": Span(2, 4),  # order of magnitude
    "kubeadm:kubelet-begin": Span(0.5, 1.5),  # until it reads its configuration
    "kubeadm:kubelet-start": Span(2, 6),  # 5.5 s measured with v1.20.2, which looks for Docker five times
    "kubeadm:kubelet-certificate": Span(1, 4),  # TLS bootstrap, until it is a node
    "kubeadm:control-plane-start": Span(6, 15),  # static pods; KTHW 08 has 10 s for an API server alone
    "kubeadm:etcd-start": Span(2, 6),  # of a member that joins: 6 s without a leader, measured
    "kubeadm:addons": Span(1, 3),
    "kubeadm:node-network": Span(3, 12),  # 10.7 s with routes and a bridge, measured with v1.20.2
    "kubeadm:looks-again": Span(1, 1),  # the model's own
    "kubeadm:etcd-again": Span(0.5, 0.5),  # [kubeadm constants: every 500 ms]
    "kubeadm:static-pods-again": Span(10, 10),  # the kubelet's first back-off
    "kubeadm:kubelet-asks-again": Span(5, 5),
}
"""How long each takes, and each part of a life."""

SUCCEEDED, READY = ("kubeadm has succeeded",), ("the node is Ready",)
KUBELET = ("kubeadm:preflight", "kubeadm:kubelet-begin")
PHASES = Phases(
    (
        Shown(
            "kubeadm:control-plane-start",
            "start-primary",
            "primary",
            SUCCEEDED,
            (*KUBELET, "kubeadm:kubelet-start", "kubeadm:addons"),
        ),
        Shown(
            "kubeadm:etcd-start",
            "join-server",
            "server",
            SUCCEEDED,
            (
                *KUBELET,
                "kubeadm:kubelet-start",
                "kubeadm:kubelet-certificate",
                SYNC,
                "kubeadm:control-plane-start",
            ),
        ),
        Shown(
            "kubeadm:kubelet-start",
            "join-agent",
            "agent",
            SUCCEEDED,
            (*KUBELET, "kubeadm:kubelet-certificate"),
        ),
        Shown("kubeadm:node-network", "verify", "agent", READY),
    )
)
