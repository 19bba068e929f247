"""Real throw-away Linux hosts on one machine: own systemd, own SSH server, own address, own disk.

A host is a set of namespaces over a cached Debian tree, made with plain system calls; no container
manager and no hypervisor is needed. It is good for learning, for rehearsing a rollout, and for tests:
power can be cut (`kill`), cables pulled (`cut`), and both undone (`heal`).

What it must not know: Kubernetes, and how mk8s installs it. It only writes a manifest at the end.

Begin reading at `lab`; `host` and `boot` are one host; the rest is what these two stand on.
"""

from __future__ import annotations

from .addresses import LabHost
from .errors import LabError, UnfitError
from .host import HostStatus
from .lab import Lab
from .manifest_writer import ManifestChoices

__all__ = ["HostStatus", "Lab", "LabError", "LabHost", "ManifestChoices", "UnfitError"]
