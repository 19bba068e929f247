"""What began or ended with which minor release of Kubernetes, as far as rendering depends on it.

Each number is the first minor that has it (`..._SINCE`) or lacks it (`..._GONE`). Sources: the CHANGELOG's
removals and the component references of kubernetes.io; docs/vanilla.md has the table with what follows.
"""

from __future__ import annotations

__all__ = [
    "CGROUP_V1_FAILS_SINCE",
    "CNI_FLAGS_GONE",
    "CONTAINER_RUNTIME_GONE",
    "INSECURE_PORTS_GONE",
    "OLDEST",
    "PAUSE_FLAG_GONE",
    "RUNTIME_IN_CONFIG_SINCE",
    "SCHEDULER_PORT_IN_CONFIG_GONE",
    "TAINTS_IN_CONFIG_SINCE",
    "scheduler_api",
]

OLDEST = 20  # before, the API server's service-account flags were others
INSECURE_PORTS_GONE = 24  # --insecure-port of the API server, --port of the controller manager
SCHEDULER_PORT_IN_CONFIG_GONE = 23  # the scheduler's insecure port is set in its configuration up to v1beta1
CNI_FLAGS_GONE = 24  # --network-plugin, --cni-conf-dir, --cni-bin-dir of the kubelet
CONTAINER_RUNTIME_GONE = 24  # --container-runtime=remote: needed up to 1.23, an error from 1.27 on
RUNTIME_IN_CONFIG_SINCE = 27  # containerRuntimeEndpoint in KubeletConfiguration
TAINTS_IN_CONFIG_SINCE = 23  # registerWithTaints in KubeletConfiguration
PAUSE_FLAG_GONE = 35  # --pod-infra-container-image of the kubelet
CGROUP_V1_FAILS_SINCE = 35  # failCgroupV1 is true by default
SCHEDULER_APIS = ((25, "v1"), (23, "v1beta3"), (0, "v1beta1"))


def scheduler_api(minor: int) -> str:
    """The apiVersion of KubeSchedulerConfiguration: v1beta1 1.19-1.22, v1beta3 from 1.23, v1 from 1.25."""
    version = next(name for since, name in SCHEDULER_APIS if minor >= since)
    return f"kubescheduler.config.k8s.io/{version}"
