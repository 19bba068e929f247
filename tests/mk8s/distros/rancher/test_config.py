"""config.yaml: the user's words stay, and what is missing is added."""

from __future__ import annotations

from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from mk8s.cluster import Cluster, Node
from mk8s.distros.base import Situation
from mk8s.distros.rancher import config
from mk8s.distros.rancher.merging import ConfigTextError, merge
from mk8s.distros.rke2.engine import RKE2
from tests.mk8s.distros.situations import TOKEN, make_cluster, make_node


def render_config(cluster: Cluster, node: Node, token: str) -> bytes:
    return config.render_config(RKE2, Situation(cluster, node, None, {}, token))


ADDED = (("server", "https://10.0.0.11:9345"), ("token", 'se"cret'), ("tls-san", ("vip.example",)))
AS_DATA = {"server": "https://10.0.0.11:9345", "token": 'se"cret', "tls-san": ["vip.example"]}
LINES = '# added by mk8s\nserver: "https://10.0.0.11:9345"\ntoken: "se\\"cret"\ntls-san: ["vip.example"]\n'
PAIRS = '"server": "https://10.0.0.11:9345", "token": "se\\"cret", "tls-san": ["vip.example"]'

TEXTS = {
    "nothing": ("", LINES),
    "a comment": ("# mine", f"# mine\n{LINES}"),
    "a document marker": ("---\n", f"---\n{LINES}"),
    "one line": ("cni: cilium\n", f"cni: cilium\n{LINES}"),
    "no newline at the end": ("cni: cilium", f"cni: cilium\n{LINES}"),
    "a last comment": ("cni: cilium # best\n# end", f"cni: cilium # best\n# end\n{LINES}"),
    "a list": ("node-label:\n- a=b\n- c=d", f"node-label:\n- a=b\n- c=d\n{LINES}"),
    "an end marker": ("cni: cilium\n...\n", f"cni: cilium\n{LINES}...\n"),
    "windows lines": ("a: b\r\nc: d\r\n", f"a: b\r\nc: d\r\n{LINES}"),
    "an anchor": ("a: &x [b]\nc: *x\n", f"a: &x [b]\nc: *x\n{LINES}"),
    "a block that a newline would change": ("a: |\n  b", f"{LINES}a: |\n  b"),
    "a block that keeps its newlines": ("a: |+\n  b\n\n", f"a: |+\n  b\n\n{LINES}"),
    "JSON": ('{"a": 1}', f'{{"a": 1, {PAIRS}}}'),
    "an empty flow mapping": ("{}", f"{{{PAIRS}}}"),
    "a flow mapping with a last comma": ("{a: 1,}", f"{{a: 1,{PAIRS}}}"),
    "a flow mapping with a comment": ("{a: 1 # x\n}", f"{{a: 1 # x\n, {PAIRS}}}"),
}


@pytest.mark.parametrize(("text", "expected"), TEXTS.values(), ids=TEXTS)
def test_keys_are_added_and_nothing_else_changes(text: str, expected: str) -> None:
    """Every shape that YAML allows for a mapping, byte for byte."""
    merged = merge(text, ADDED)

    assert merged == expected
    assert yaml.safe_load(merged) == {**(yaml.safe_load(text) or {}), **AS_DATA}


def test_indented_text_gets_its_keys_at_the_same_column() -> None:
    assert yaml.safe_load(merge("  a: b\n  c: d\n", ADDED)) == {"a": "b", "c": "d", **AS_DATA}


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("- a\n- b\n", "not a mapping"),
        ("just words", "not a mapping"),
        ("a: b: c", "line 1, column 5"),
        ("a: 1\n---\nb: 2\n", "another document"),
        ("a: b\n\tc: d", "line 2, column 1"),
        ("[" * 5000, "nested too deeply"),
    ],
)
def test_what_is_no_mapping_is_refused_in_words(text: str, words: str) -> None:
    with pytest.raises(ConfigTextError, match=words):
        merge(text, ADDED)


def test_a_key_that_stands_twice_is_refused() -> None:
    """RKE2 would keep one of the two and say nothing."""
    primary = make_node("srv-1", "primary", "10.0.0.11", "cni: canal\ncni: cilium\n")

    with pytest.raises(ConfigTextError, match="cni given twice"):
        render_config(make_cluster(primary), primary, TOKEN)


def test_an_alias_bomb_costs_nothing() -> None:
    """Aliases are compared as aliases; a text of one kilobyte never becomes a gigabyte."""
    levels = [f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]" for i in range(1, 30)]
    bomb = "\n".join(["a0: &a0 [x]", *levels]) + "\n"

    assert merge(bomb, ADDED).startswith(bomb)


def test_the_primary_gets_the_token_and_no_server() -> None:
    cluster = make_cluster()

    assert yaml.safe_load(render_config(cluster, cluster.primary, TOKEN)) == {"token": TOKEN}


def test_everybody_else_registers_at_the_primary() -> None:
    cluster = make_cluster()

    for node in cluster.nodes[1:]:
        expected = {"server": "https://10.0.0.11:9345", "token": TOKEN}
        assert yaml.safe_load(render_config(cluster, node, TOKEN)) == expected


def test_an_endpoint_is_where_to_register_and_goes_into_the_servers_certificates() -> None:
    cluster = make_cluster(endpoint="fd00::10")
    rendered = [yaml.safe_load(render_config(cluster, node, TOKEN)) for node in cluster.nodes]

    assert rendered == [
        {"token": TOKEN, "tls-san": ["fd00::10"]},
        {"server": "https://[fd00::10]:9345", "token": TOKEN, "tls-san": ["fd00::10"]},
        {"server": "https://[fd00::10]:9345", "token": TOKEN},
    ]


@pytest.mark.parametrize("key", ["tls-san", "tls-san+"])
def test_what_the_user_gave_is_never_given_again(key: str) -> None:
    """Not in another spelling either."""
    text = f"# hand-made\nserver: https://lb:9345\ntoken: mine\n{key}: [a, b]\n"
    server = make_node("srv-2", "server", "10.0.0.12", text)
    cluster = make_cluster(make_node("srv-1", "primary", "10.0.0.11"), server, endpoint="vip.example")

    assert render_config(cluster, server, TOKEN).decode() == text


def test_a_token_file_stands_for_the_token() -> None:
    primary = make_node("srv-1", "primary", "10.0.0.11", "token-file: /root/token\n")

    assert render_config(make_cluster(primary), primary, "") == b"token-file: /root/token\n"


def test_agents_join_with_the_agent_token_where_there_is_one() -> None:
    primary = make_node("srv-1", "primary", "10.0.0.11", {"agent-token": "for-agents"})
    agent = make_node("agent-1", "agent", "10.0.0.21")

    rendered = yaml.safe_load(render_config(make_cluster(primary, agent), agent, TOKEN))

    assert rendered["token"] == "for-agents"


def test_a_mapping_keeps_its_order_and_its_types() -> None:
    config = {
        "node-label": ["b=1", "a=2"],
        "debug": True,
        "cluster-dns": "10.43.0.10",
        "write-kubeconfig-mode": "0644",
    }
    primary = make_node("srv-1", "primary", "10.0.0.11", config)

    rendered = render_config(make_cluster(primary), primary, TOKEN).decode()

    assert list(yaml.safe_load(rendered)) == [*config, "token"]
    assert yaml.safe_load(rendered) == {**config, "token": TOKEN}


KEYS = st.text(min_size=1, max_size=12)
LEAVES = st.none() | st.booleans() | st.integers() | st.text(max_size=20)
CONFIGS = st.dictionaries(
    KEYS,
    st.recursive(
        LEAVES, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3)
    ),
    max_size=5,
)


@given(
    config=CONFIGS,
    flow=st.sampled_from([None, True, False]),
    tail=st.sampled_from(["", "\n", "# end", "\n\n  "]),
    strip=st.booleans(),
)
def test_no_key_of_any_user_is_ever_lost(
    config: dict[str, Any], flow: bool | None, tail: str, strip: bool
) -> None:
    """Whatever mapping, in whatever style: all its keys are there afterwards, with their values."""
    text = yaml.safe_dump(config, default_flow_style=flow, sort_keys=False, allow_unicode=True)
    text = (text.rstrip("\n") if strip else text) + ("\n" + tail if tail.strip() else tail)
    before = yaml.safe_load(text)

    after = yaml.safe_load(merge(text, (("mk8s-added", "x"),)))

    assert after == {**before, "mk8s-added": "x"}
