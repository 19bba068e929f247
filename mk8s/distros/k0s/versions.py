"""k0s release numbers, and what began with which release. Pure.

From k0s' release workflow, its flag tables and its sources at the release tags.
"""

from __future__ import annotations

import re

from mk8s.cluster import Cluster
from mk8s.distros.releases import NEWEST, Release, Since, has, read_release

__all__ = [
    "BUNDLE_NAMES_OS",
    "CHECKSUMS",
    "CONTAINERD_2",
    "CPLB",
    "DROP_INS",
    "EXTERNAL_ETCD",
    "IGNORES_CHECKS_AT_INSTALL",
    "LEARNERS",
    "NLLB",
    "NO_TAINTS",
    "has_release",
    "parse_version",
    "release_of",
]

VERSION = re.compile(r"v1\.(?P<minor>\d+)\.(?P<patch>\d+)(-(alpha|beta|rc)\.\d+)?\+k0s\.\d+")

CHECKSUMS: Since = {28: 2}  # sha256sums.txt
BUNDLE_NAMES_OS: Since = {36: 0}  # k0s-airgap-bundle-TAG-linux-ARCH.tar; before, no -linux and no .tar
NO_TAINTS: Since = {23: 1}  # --no-taints
EXTERNAL_ETCD: Since = {23: 5}  # spec.storage.etcd.externalCluster
NLLB: Since = {26: 0}  # spec.network.nodeLocalLoadBalancing
DROP_INS: Since = {27: 1}  # /etc/k0s/containerd.d
CPLB: Since = {30: 0}  # spec.network.controlPlaneLoadBalancing
LEARNERS: Since = {35: 5, 36: 1}  # a controller joins etcd as a learner; before, as a voter at once
IGNORES_CHECKS_AT_INSTALL: Since = {35: 7, 36: 1}  # `k0s install` takes --ignore-pre-flight-checks
CONTAINERD_2: Since = {36: 0}  # its drop-ins have version 3


def parse_version(text: str) -> Release | None:
    """The numbers in a tag such as ``v1.33.4+k0s.0``; None when it is not one."""
    return read_release(VERSION, text)


def release_of(text: str) -> Release:
    """The same; the newest for a version that is none."""
    return parse_version(text) or NEWEST


def has_release(cluster: Cluster, since: Since) -> bool:
    """Whether the cluster's release has what the table dates."""
    return has(release_of(cluster.version), since)
