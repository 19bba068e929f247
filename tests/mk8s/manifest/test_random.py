"""Whatever stands in the file, there is a cluster or a ManifestError, and nothing else."""

from __future__ import annotations

import json
from contextlib import suppress
from pathlib import Path
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from mk8s.errors import ManifestError
from mk8s.manifest import LoadedCluster, load_cluster
from mk8s.manifest.schema import key_paths
from tests.mk8s.manifest.manifests import SOUND, loaded

WORDS = sorted({part.removesuffix("[]") for path in key_paths() for part in path.split(".")})
LIKELY = [
    "server",
    "agent",
    "rke2",
    "k3s",
    "10.0.0.1",
    "fd00::1",
    "a.b",
    "v1.28.3+rke2r2",
    "1.30",
    "~/x",
    "5m",
    "50%",
    "amd64",
    "tar",
    "verify",
    "../x",
    "kubeadm",
    "v1.20.2",
    "10.0.0.0/8",
    "10.244.0.0/16",
    "10.0.0.9",
    "bridge",
    "busybox:1",
]
SCALARS = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-5, 70000),
    st.text(max_size=12),
    st.sampled_from(LIKELY),
    st.sampled_from(["a: 1", "a: [", "- b"]),
)
KEYS = st.sampled_from(WORDS) | st.text(max_size=5)
ANYTHING = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(KEYS, inner, max_size=6),
    max_leaves=30,
)
NODE = st.fixed_dictionaries(
    {"address": SCALARS, "role": st.sampled_from(["server", "agent"]) | SCALARS},
    optional={
        "primary": SCALARS,
        "local": SCALARS,
        "config": ANYTHING,
        "name": SCALARS,
        "ssh_key_path": SCALARS,
        "node_ip": SCALARS,
    },
)
ALMOST = st.fixed_dictionaries(
    {
        "distro": st.sampled_from(["rke2", "kubeadm"]) | SCALARS,
        "version": st.sampled_from(["v1.28.3+rke2r2", "v1.20.2"]) | SCALARS,
        "nodes": st.lists(NODE),
    },
    optional=dict.fromkeys(
        ["ssh", "config", "limits", "budgets", "gates", "policy", "artifacts", "manifests", "checks"],
        ANYTHING,
    )
    | {
        "endpoint": SCALARS,
        "kube_vip": st.fixed_dictionaries({}, optional=dict.fromkeys(["interface", "image"], SCALARS))
        | ANYTHING,
        "network": st.fixed_dictionaries(
            {}, optional=dict.fromkeys(["pod_cidr", "service_cidr", "dns_domain", "cni"], SCALARS)
        )
        | ANYTHING,
    },
)


def outcome_of(text: str) -> LoadedCluster | ManifestError:
    try:
        return loaded(text)
    except ManifestError as error:
        return error


@given(st.binary(max_size=200))
@example(SOUND.encode().replace(b"my", b"\xff"))
@settings(max_examples=150, derandomize=True, deadline=None)
def test_random_bytes_raise_nothing_but_a_manifest_error(tmp_path_factory: Any, data: bytes) -> None:
    """From a file, as a user would."""
    path: Path = tmp_path_factory.getbasetemp() / "random.yaml"
    path.write_bytes(data)

    with suppress(ManifestError):
        load_cluster(path)


@given(ANYTHING | ALMOST)
@settings(max_examples=300, derandomize=True, deadline=None)
def test_random_structures_raise_nothing_but_a_manifest_error(document: Any) -> None:
    """JSON is YAML; the keys are ours, the values anything."""
    found = outcome_of(json.dumps(document))

    if isinstance(found, ManifestError):
        assert found.faults
    else:
        names = [node.name for node in found.cluster.nodes]
        assert len(set(names)) == len(names)
        assert [node.role for node in found.cluster.nodes].count("primary") == 1


@given(st.integers(0, len(SOUND)), st.text(max_size=6), st.integers(0, 10))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_a_damaged_manifest_raises_nothing_but_a_manifest_error(at: int, put: str, cut: int) -> None:
    """Something put in, something cut out, anywhere."""
    outcome_of(SOUND[:at] + put + SOUND[at + cut :])


@given(st.text("ab:- \n[]{}'\"|#&*!0", max_size=40))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_random_config_text_raises_nothing_but_a_manifest_error(config: str) -> None:
    """In block text, and in quotes."""
    block = "".join(f"      {line}\n" for line in config.split("\n"))
    node = "distro: rke2\nversion: v1.28.3+rke2r2\nnodes:\n  - address: a\n    role: server\n    config: "

    outcome_of(f"{node}|\n{block}")
    outcome_of(f"{node}{json.dumps(config)}\n")
