"""How long k0s' commands and the parts of its services' lives take in simulation, and where a run shows it.

Beside `model` and `world`, which draw these. A test compares the names with what is drawn.
"""

from __future__ import annotations

from collections.abc import Mapping

from mk8s import unit_models
from mk8s.distros.phases import Phases, Shown
from mk8s.distros.upstream import model as upstream
from mk8s.paces import ASKING, CHANGE, GLANCE, LOOK
from transports.simulated import Span

__all__ = ["DURATIONS", "HASHED", "PHASES", "PROGRAMS"]

HASHED = ("k0s.place", "k0s.has-placed")  # they hash the file that they are given first
PROGRAMS = ("upstream.install-program", "upstream.has-program")  # upstream's, which k0s' steps use
TALKING = Span(0.1, 0.4)  # k0s itself begins, and asks its API or etcd; order of magnitude

DURATIONS: Mapping[str, Span] = {
    **unit_models.UNIT_DURATIONS,
    **{name: upstream.DURATIONS[name] for name in PROGRAMS},
    "k0s.place": CHANGE,
    "k0s.has-placed": GLANCE,
    "k0s.find": CHANGE,
    "k0s.has-program": GLANCE,
    "k0s.version": Span(0.05, 0.3),  # a program of 250 MB begins
    "k0s.validate": TALKING,
    "k0s.share": CHANGE,
    "k0s.is-shared": GLANCE,
    "k0s.install": Span(0.5, 2.0),  # writes the unit, and lets systemd read all anew; order of magnitude
    "k0s.is-installed": GLANCE,
    "k0s.is-stopped": LOOK,
    "k0s.status": TALKING,
    "k0s.progress": GLANCE,
    "k0s.create-token": TALKING,
    "k0s.invalidate-token": TALKING,
    "k0s.members": TALKING,
    "k0s.has-no-member": TALKING,
    "k0s.remove-member": TALKING,
    "k0s.get-own-node": ASKING,
    # The lives. No source has a number of a first start: all are orders of magnitude.
    "k0s:controller-begin": Span(2, 5),  # unpacks its programs, until the status socket is there
    "k0s:controller-keys": Span(0.5, 1.5),  # fetched from the controller that it joins
    "k0s:controller-etcd-start": Span(2, 4),
    "k0s:controller-first-start": Span(15, 50),  # certificates, etcd, API server
    "k0s:controller-restart": Span(5, 15),
    "k0s:controller-looks-again": Span(2, 2),  # the model's own, while etcd has no majority
    "k0s:controller-kubelet": Span(10, 30),  # with --enable-worker: containerd, images, kubelet
    "k0s:worker-begin": Span(2, 5),
    "k0s:worker-first-start": Span(15, 60),  # containerd, import of 250 to 350 MB of images, kubelet
    "k0s:worker-restart": Span(5, 15),
    "k0s:worker-asks-again": Span(2, 2),
    "k0s:node-network": Span(10, 40),
}
"""How long each operation takes beside the bytes that it hashes, and each part of a life."""

ANSWERS = ("*.service answers",)
READY, REGISTERED = ("the node is Ready",), ("the node is registered",)
UP = (*ANSWERS, "the API server is ready")
PHASES = Phases(
    (
        Shown("k0s:controller-first-start", "start-primary", "primary", UP, ("k0s:controller-begin",)),
        Shown(
            "k0s:controller-first-start",
            "join-server",
            "server",
            UP,
            ("k0s:controller-begin", "k0s:controller-keys", "k0s:controller-etcd-start"),
        ),
        Shown(
            "k0s:worker-first-start",
            "join-agent",
            "agent",
            (*ANSWERS, *REGISTERED),
            ("k0s:worker-begin",),
        ),
        Shown("k0s:node-network", "verify", "agent", READY),
    ),
)
