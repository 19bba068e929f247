"""The distro's own config: kept as text, merged by key, never changed in meaning."""

from __future__ import annotations

import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from mk8s.manifest.configs import combine, parse_config
from tests.mk8s.manifest.manifests import HEAD, cluster_of

SCALARS = st.one_of(
    st.booleans(),
    st.integers(-(10**15), 10**15),
    st.text("abc:#-'\"{}[]&*!|>%@`\\ \n0189.eyn~", max_size=8),
    st.sampled_from(
        ["1.30", "no", "yes", "null", "~", "0644", "1e3", "0o17", "12:30", "true", "=", "<<", ".inf"]
    ),
)
KEYS = st.sampled_from(["cni", "tls-san", "token", "no", "y", "a b", "node-label+", "1", "x.y", "null", "#a"])
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3),
    max_leaves=6,
)


def test_text_without_shared_keys_stays_as_it_is() -> None:
    """Comments, order, blank lines and all."""
    text = "# mine\n\nb: 1\na:   [x,  y] # why\n"

    assert combine(text) == ({"b": 1, "a": ["x", "y"]}, text)


def test_a_mapping_has_no_text() -> None:
    """There is nothing to keep word for word."""
    assert combine({"cni": "cilium"}, None) == ({"cni": "cilium"}, "")


def test_the_nearest_wins_key_by_key_and_values_are_never_mixed() -> None:
    """The node, then its role, then all."""
    config, _ = combine({"a": [1]}, {"a": [2], "b": [3]}, {"b": [4], "c": [5]})

    assert config == {"a": [1], "b": [3], "c": [5]}


def test_shared_keys_are_added_below_a_nodes_text() -> None:
    """What the user wrote stands first, unchanged."""
    text = "# mine\ncni: calico"

    config, combined = combine(text, {"cni": "canal", "tls-san": ["1.30", "b"]}, "selinux: true\n")

    assert combined == (
        '# mine\ncni: calico\n# from `config` of the manifest\ntls-san:\n  - "1.30"\n  - "b"\nselinux: true\n'
    )
    assert config == {"cni": "calico", "tls-san": ["1.30", "b"], "selinux": True}


def test_text_that_cannot_be_continued_is_written_anew() -> None:
    """In braces, or after an end mark, no line can be added; no key is lost all the same."""
    for text in ("{cni: calico}\n", "cni: calico\n...\n", "  cni: calico\n"):
        config, combined = combine(text, {"selinux": True})

        assert combined == 'cni: "calico"\nselinux: true\n'
        assert config == {"cni": "calico", "selinux": True}


def test_agents_and_servers_get_their_own_share() -> None:
    """`servers` is for the primary too."""
    cluster = cluster_of(
        f"{HEAD}config: {{all: {{x: 1}}, servers: {{x: 2, s: 1}}, agents: 'a: 1'}}\n"
        "nodes:\n  - {address: p, role: server}\n"
        "  - {address: s, role: server}\n  - {address: a, role: agent}\n"
    )

    assert [node.config for node in cluster.nodes] == [{"x": 2, "s": 1}, {"x": 2, "s": 1}, {"a": 1, "x": 1}]


@given(st.dictionaries(KEYS, VALUES, min_size=1, max_size=4))
@settings(max_examples=200, derandomize=True, deadline=None)
def test_added_keys_read_the_same_in_every_reader(shared: dict[str, object]) -> None:
    """Our strict reader and YAML 1.1, which takes `no` and `1.30` for something else, agree."""
    config, text = combine("own: 1\n", shared)

    assert parse_config(text) == config == {"own": 1, **shared}
    assert yaml.safe_load(text) == config
