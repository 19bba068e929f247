"""The manifest as it travels: no secret is left, and all else is."""

from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import yaml
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mk8s.bundle.index import BundleError
from mk8s.bundle.template import NOTE, blanks, manifest_template, secrets_of
from mk8s.cluster import Cluster
from mk8s.distros.base import load_distro
from mk8s.errors import ManifestError
from mk8s.manifest import load_cluster_text
from mk8s.manifest.blanks import PLACEHOLDER

RKE2 = load_distro("rke2")
SPECS = Path(__file__).parents[3] / "specs" / "clusters"

STYLED = """\
# the token is {secret}, do not lose it
distro: rke2
version: v1.28.3+rke2r2   # as tested
artifacts_dir: /srv/on this machine/{secret}
config:
  servers: {{agent-token: {quoted}}}
nodes:
  - address: 10.0.0.1
    role: server
    config: |   # {secret}
      # {secret} again
      write-kubeconfig-mode: "0644"
      token: {quoted}   # {secret}
      node-label:
        - a={secret}
        - b=c

    # of the second
  - address: 10.0.0.2
    role: server
    config: {config}
  - address: 10.0.0.3
    role: agent
    config:
      token: {quoted}
      kubelet-arg: ["v=2", {quoted}]
"""

SECRETS = st.text(
    st.characters(codec="utf-8", categories=["L", "N", "P", "S"], exclude_characters="\ufeff"),
    min_size=6,
    max_size=40,
)


def load(text: str) -> Cluster:
    return load_cluster_text(text, Path("/x/cluster.yaml")).cluster


def template(text: str, **files: str) -> str:
    cluster = load(text)
    found = manifest_template(text, secrets_of(text, cluster, RKE2), files=files, name=cluster.name)
    return found.decode()


def test_secrets_of_drop_ins_do_not_travel() -> None:
    """The engine reads them as it reads the config: as text, as a mapping, or in a form of their own."""
    found = template(
        "distro: rke2\nversion: v1.28.3+rke2r2\n"
        "nodes:\n  - {address: 10.0.0.1, role: server, primary: true}\n"
        "drop_ins:\n"
        "  servers:\n    50-site.yaml: |\n      token: hush-one\n      debug: true\n"
        "  agents:\n    50-site.yaml: {token: hush-two, debug: true}\n"
        '  all:\n    other.txt: "[table]\\nword = \'hush-one\'"\n    plain.txt: "[table]\\nnumber = 1"\n'
    )

    assert "hush" not in found
    assert found.count("debug: true") == 2
    assert "number = 1" in found
    assert blanks(found) == (
        'drop_ins.servers["50-site.yaml"].token',
        'drop_ins.agents["50-site.yaml"].token',
        'drop_ins.all["other.txt"]',
    )


def filled(text: str, secret: str) -> str:
    """A template with a plain secret written in again, by search and replace as people do it."""
    return text.replace(PLACEHOLDER, secret)


def readable(secret: str) -> bool:
    """Not refused by the reader of manifests, and no word of the manifest itself."""
    return secret not in STYLED and secret not in NOTE and secret not in PLACEHOLDER


@given(secret=SECRETS)
def test_no_secret_is_left_in_any_style(secret: str) -> None:
    """Quoted, in a block, in a text in quotes, as a part of a value, in comments; nor its base64."""
    assume(readable(secret))
    quoted = json.dumps(secret, ensure_ascii=False)
    config = json.dumps(f"token: {quoted}\n", ensure_ascii=False)
    text = STYLED.format(secret="hush-hush", quoted=quoted, config=config).replace("hush-hush", "x")
    commented = f"# {secret} {base64.b64encode(secret.encode()).decode()}\n{text}"
    try:
        load(commented)
    except ManifestError:
        assume(False)
    made = template(commented)
    assert secret not in made
    assert json.dumps(secret)[1:-1] not in made
    assert base64.b64encode(secret.encode()).decode().rstrip("=")[:-1] not in made


@given(secret=st.text("abcdefghijkmnopqrstuvwxyzABCDEFGHIJKLMNOP0123456789-_+", min_size=6, max_size=30))
def test_only_secrets_and_the_folder_are_different(secret: str) -> None:
    """Filled in again, it means what it meant."""
    assume(readable(secret) and secret[0].isalpha())
    quoted = json.dumps(secret)
    text = STYLED.format(secret=secret, quoted=quoted, config=json.dumps(f"token: {secret}\n"))
    made = template(text.replace(f"a={secret}", "a=x").replace(f"/{secret}", "/x"))
    assert secret not in made
    before, after = load(text), load(filled(made, secret))
    assert after.artifacts_dir == Path("/x/artifacts")
    assert after.name == before.name
    assert [node.config.get("token") for node in after.nodes] == [secret] * 3
    assert [node.address for node in after.nodes] == [node.address for node in before.nodes]
    assert after.nodes[0].config["node-label"] == ["a=x", "b=c"]
    assert after.nodes[2].config["kubelet-arg"] == ["v=2", secret]


def test_comments_order_and_quotes_stay() -> None:
    """Only the lines with a secret, the folder and the name are touched."""
    text = STYLED.format(secret="hush-hush", quoted='"hush-hush"', config="|\n      token: hush-hush")
    expected = (
        STYLED.format(secret="***", quoted=PLACEHOLDER, config=f"|\n      token: {PLACEHOLDER}")
        .replace("artifacts_dir: /srv/on this machine/***", "artifacts_dir: ./artifacts")
        .replace("- a=***", f"- {PLACEHOLDER}")
        .replace("distro: rke2", "name: cluster\ndistro: rke2")
    )
    assert template(text) == NOTE + expected


def test_every_missing_secret_is_named() -> None:
    """What the one who makes the bundle is told, and what `validate` refuses there."""
    made = template(STYLED.format(secret="hush-hush", quoted='"hush-hush"', config='"token: hush-hush"'))
    assert blanks(made) == (
        "config.servers.agent-token",
        "nodes[0].config.token",
        "nodes[0].config.node-label[0]",
        "nodes[1].config.token",
        "nodes[2].config.token",
        "nodes[2].config.kubelet-arg[1]",
    )
    with pytest.raises(ManifestError, match="6 mistakes") as caught:
        load(made)
    assert {fault.path for fault in caught.value.faults} == set(blanks(made))


@pytest.mark.parametrize("name", sorted(path.name for path in SPECS.glob("*.yaml")))
def test_manifests_without_secrets_stay_as_they_are(name: str) -> None:
    """The shipped examples mean the same in a bundle; only the name is added."""
    text = (SPECS / name).read_text(encoding="utf-8")
    before = load_cluster_text(text, SPECS / name).cluster
    made = manifest_template(text, secrets_of(text, before, RKE2), files={}, name=before.name).decode()
    after = load_cluster_text(made, SPECS / "other.yaml").cluster
    assert (after.name, after.nodes, after.artifacts) == (before.name, before.nodes, before.artifacts)
    assert blanks(made) == ()
    kept = made.removeprefix(NOTE).splitlines()
    assert [line for line in text.splitlines() if line not in kept and "artifacts_dir" not in line] == []


@pytest.mark.parametrize(
    "text",
    [
        "distro: rke2\nversion: v1.28.3+rke2r2\nnodes: [{address: 10.0.0.1, role: server}]\n",
        "{distro: rke2, version: v1.28.3+rke2r2, nodes: [{address: 10.0.0.1, role: server}]}\n",
        "# c\n---\n  distro: rke2\n  version: v1.28.3+rke2r2\n  nodes: [{address: 10.0.0.1, role: server}]\n",
        "\ufeffdistro: rke2\r\nversion: v1.28.3+rke2r2\r\nnodes: [{address: 10.0.0.1, role: server}]\r\n",
        "distro: rke2\nname:\nversion: v1.28.3+rke2r2\nnodes: [{address: 10.0.0.1, role: server}]\n",
        "distro: rke2\nname: ~ # none\nversion: v1.28.3+rke2r2\nnodes: [{address: 10.0.0.1, role: server}]\n",
    ],
)
def test_the_cluster_keeps_its_name(text: str) -> None:
    """It came from the file's name, and every bundle calls the file cluster.yaml."""
    before = load_cluster_text(text, Path("/x/production.yaml")).cluster
    made = manifest_template(text, [], files={}, name=before.name).decode()
    assert load(made).name == "production"
    assert load(made).nodes == before.nodes


def test_files_that_came_along_have_their_new_paths() -> None:
    """Those of `manifests` and of registries; an equal word elsewhere is no path."""
    text = (
        "distro: kubeadm\nversion: v1.28.3\nendpoint: addons.yaml\nmanifests:\n"
        "  - addons.yaml   # ours\n  - ../b c.yaml\nnodes: [{address: 10.0.0.1, role: server}]\n"
    )
    files = {"addons.yaml": "files/00-addons.yaml", "../b c.yaml": "files/01-b c.yaml"}
    made = manifest_template(text, [], files=files).decode()
    assert '  - files/00-addons.yaml   # ours\n  - "files/01-b c.yaml"\n' in made
    assert "endpoint: addons.yaml\n" in made


@pytest.mark.parametrize(
    "config",
    [
        "datastore-endpoint: postgres://me:hush-hush@db:5432/x",
        "etcd-s3-secret-key: hush-hush",
        "token: |\n        hush-hush\n      cni: canal",
        "token: >-\n        hush-hush\n      cni: canal",
        "token:\n        hush-hush",
        "a: {b: ['-----BEGIN EC PRIVATE KEY-----\\nhush-hush\\n-----END EC PRIVATE KEY-----']}",
        "client-key-data: aHVzaC1odXNo\n      token: hush-hush",
        "mirror: http://me:hush-hush@10.0.0.9/",
    ],
)
@pytest.mark.parametrize("style", ["|", "|-", "|+", ">", ""])
def test_secrets_of_every_kind_are_found(config: str, style: str) -> None:
    """Known keys of the distro, private keys by their form, passwords in URLs; in blocks and mappings."""
    if style == ">":
        config = config.replace("\n", "\n\n")
    text = (
        "distro: rke2\nversion: v1.28.3+rke2r2\nnodes:\n  - address: 10.0.0.1\n    role: server\n"
        f"    config: {style}\n      {config}\n  - {{address: 10.0.0.2, role: agent}}\n"
    )
    made = template(text)
    assert "hush-hush" not in made
    assert blanks(made) != ()
    assert load(filled(made, "other-word")).nodes[1].address == "10.0.0.2"


def test_a_password_in_a_url_of_the_manifest_does_not_travel() -> None:
    """Manifests with one are refused; comments are read by nobody else."""
    text = (
        "distro: rke2\nversion: v1.28.3+rke2r2\nmirrors: {https://a.example: https://me:hush-hush@b.example}\n"
        "nodes: [{address: 10.0.0.1, role: server}]  # https://me:hush-hush@b.example\n"
    )
    made = manifest_template(text, [], files={}).decode()
    assert "hush-hush" not in made
    assert blanks(made) == ('mirrors["https://a.example"]',)


@pytest.mark.parametrize(
    "url",
    [
        "https://me:hush-hush@b.example/file",
        "https://hush-hush@b.example/file",
        "https://hush-hush:@b.example/file",
        "HTTPS://:hush-hush@b.example/file",
        "https://b.example/file?X-Amz-Date=1&X-Amz-Signature=hush-hush&X-Amz-Expires=2",
        "https://b.example/file?sv=2024&sig=hush-hush",
        "https://b.example/file?access_token=hush-hush#x",
    ],
)
def test_what_lets_in_with_a_url_does_not_travel(url: str) -> None:
    """A login, also a token in the place of the name, and the signature of a signed URL."""
    text = (
        f"# {url}\ndistro: rke2\nversion: v1.28.3+rke2r2\nnodes: [{{address: 10.0.0.1, role: server}}]\n"
        f"artifacts: {{rke2: {{url: '{url}', checksum: {'a' * 64}}}}}\n"
    )
    made = template(text)
    assert "hush-hush" not in made
    assert blanks(made) == ("artifacts.rke2.url",)


def test_other_urls_stay() -> None:
    """A query is no secret by itself, and an @ behind the host no login."""
    url = "https://b.example/a@b/file?download=1&arch=amd64"
    text = (
        f"name: x # {url}\ndistro: rke2\nversion: v1.28.3+rke2r2\nartifacts_dir: ./artifacts\n"
        f"nodes: [{{address: 10.0.0.1, role: server}}]\nartifacts: {{rke2: {{url: '{url}'}}}}\n"
    )
    assert template(text) == NOTE + text


def test_a_short_secret_is_taken_out_where_it_stands_and_blots_out_nothing_else() -> None:
    """A token of three letters is weak; ordinary words stay readable."""
    text = (
        "distro: rke2\nversion: v1.28.3+rke2r2\nnodes:\n"
        "  - {address: 10.0.0.1, role: server, name: abc, config: {token: abc}}\n"
    )
    assert f"name: abc, config: {{token: {PLACEHOLDER}}}" in template(text)


def test_a_secret_that_is_a_word_of_the_manifest_cannot_travel() -> None:
    """It would be left in the keys; and the message does not say what it is."""
    text = (
        "distro: rke2\nversion: v1.28.3+rke2r2\nnodes:\n"
        "  - {address: 10.0.0.1, role: server, config: {token: address}}\n"
    )
    with pytest.raises(BundleError, match="cannot be taken out") as caught:
        template(text)
    assert "address" not in str(caught.value)


def test_shared_secrets_count_also_where_no_node_uses_them() -> None:
    """`config.agents` of a cluster that has no agent yet."""
    text = (
        "distro: rke2\nversion: v1.28.3+rke2r2\nconfig: {agents: {token: hush-hush}}\n"
        "nodes: [{address: 10.0.0.1, role: server}]\n"
    )
    assert secrets_of(text, load(text), RKE2) == ("hush-hush",)
    assert blanks(template(text)) == ("config.agents.token",)


def test_a_manifest_can_travel_again() -> None:
    """Out of a bundle, filled in and bundled again, it is the same."""
    text = STYLED.format(secret="hush-hush", quoted='"hush-hush"', config='"token: hush-hush"')
    first = template(text)
    assert template(filled(first, "hush-hush")) == first


WORDS = st.text("abc xyz#:-'\"|>&*!%@`{}[],?\\\n", max_size=30).map(lambda text: f"w{text}w")


@settings(deadline=None)
@given(
    values=st.dictionaries(st.from_regex(r"[a-z]{3,8}", fullmatch=True), WORDS, max_size=5),
    style=st.sampled_from([None, '"', "'", "|", ">"]),
    flow=st.booleans(),
    width=st.sampled_from([10, 40, 1000]),
    as_text=st.booleans(),
)
def test_whatever_way_a_config_is_written_all_else_keeps_its_meaning(
    values: dict[str, str], style: str | None, flow: bool, width: int, as_text: bool
) -> None:
    """Long values on several lines, blocks, flows, and characters that mean something to YAML."""
    secret = 'hush hush # "1": {x}\nand more'
    config: object = {**values, "token": secret, "zz": "last"}
    if as_text:
        config = yaml.safe_dump(config, default_style=style, default_flow_style=flow, width=width)
    nodes = [
        {"address": "10.0.0.1", "role": "server", "config": config},
        {"address": "10.0.0.2", "role": "agent"},
    ]
    text = yaml.safe_dump(
        {"distro": "rke2", "version": "v1.28.3+rke2r2", "nodes": nodes},
        default_style=style,
        default_flow_style=flow,
        width=width,
    )
    try:
        before = load(text)
    except ManifestError:
        assume(False)  # not every text may stand in a manifest
    made = template(text)
    assert "hush hush" not in made
    after = load(made.replace(PLACEHOLDER, "filled-in"))
    expected = {**before.nodes[0].config, "token": "filled-in"}
    assert after.nodes[0].config == expected
    assert after.nodes[1].address == "10.0.0.2"
