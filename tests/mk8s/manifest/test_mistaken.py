"""Files in a manifest's place: what each is, and the command that was meant; no manifest is mistaken."""

from __future__ import annotations

import io
import json
import random
import tarfile
from pathlib import Path

import pytest
import yaml

from mk8s.cli import main
from mk8s.errors import ManifestError
from mk8s.manifest import load_cluster
from mk8s.manifest.mistaken import mistaken_for
from mk8s.manifest.reading import MAX_BYTES
from mk8s.resources import spec_path
from tests.mk8s.cli.recorded import MANIFEST, manifest_in

EXAMPLES = sorted(spec_path("clusters").glob("*.yaml"))
DEPLOYMENT = b"apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\n"


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a simulation writes: its journal, transcript, page and profile."""
    made = tmp_path_factory.mktemp("kinds")
    words = [["--journal", "sim.jsonl"], ["--report", "page.html"], ["--save-profile", "profile.json"]]
    options = [part for option, name in words for part in (option, str(made / name))]
    assert main(["simulate", str(manifest_in(made)), *options]) == 0
    return made


def refusal(path: Path) -> str:
    with pytest.raises(ManifestError) as refused:
        load_cluster(path)
    return str(refused.value)


@pytest.mark.parametrize(
    ("name", "what", "command"),
    [
        ("sim.jsonl", "the journal of a run", "mk8s replay cluster.yaml --journal {} "),
        ("sim.transcript.jsonl", "the transcript of a run", "mk8s journal cluster.yaml --steps "),
        ("page.html", "a page for a browser", "`mk8s init` prints one"),
        ("profile.json", "a profile of durations", "mk8s plan cluster.yaml --profile {}"),
    ],
)
def test_what_mk8s_wrote_is_told_by_its_name_and_its_verb(
    name: str, what: str, command: str, folder: Path
) -> None:
    """Not by where its YAML is wrong."""
    path = folder / name
    told, _, hint = refusal(path).partition("\nhint: ")
    assert told == f"{path} is no manifest: it is {what}"
    assert f"{hint} ".count(command.format(path)) == 1


def test_a_shipped_scenario_is_told_as_one() -> None:
    """With the verb that plays it."""
    path = spec_path("scenarios", "slow-uplink.yaml")
    told = refusal(path)
    assert "it is a scenario of a simulation" in told
    assert f"mk8s simulate cluster.yaml --scenario {path}" in told


def test_a_scenario_of_fewer_nodes_is_told_as_one() -> None:
    """As --shrink writes them; a manifest has a distro beside its nodes."""
    shrunk = b'scenario: x\nseed: 9\nnodes: ["primary"]\nfaults:\n  - {node: primary}\n'
    found = mistaken_for(shrunk, "smallest.yaml")
    assert found is not None
    assert found.what == "a scenario of a simulation"
    assert mistaken_for(shrunk + b"distro: rke2\n", "smallest.yaml") is None


@pytest.mark.parametrize("verb", ["run", "status", "explain", "journal", "replay", "report", "graph", "plan"])
def test_every_verb_tells_it(verb: str, folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    """They read manifests by the same way."""
    assert main([verb, str(folder / "sim.jsonl")]) == 2
    assert "sim.jsonl is no manifest: it is the journal of a run" in capsys.readouterr().err


def test_a_journal_too_large_for_a_manifest_is_still_a_journal(folder: Path, tmp_path: Path) -> None:
    """That of a thousand nodes."""
    path = tmp_path / "large.jsonl"
    content = (folder / "sim.jsonl").read_bytes()
    path.write_bytes(content * (MAX_BYTES // len(content) + 1))
    assert "it is the journal of a run" in refusal(path)


def test_what_a_cluster_applies_is_told_where_it_stands(tmp_path: Path) -> None:
    """Under a key of the manifest."""
    path = tmp_path / "web.yaml"
    path.write_bytes(DEPLOYMENT)
    assert "it is an object for Kubernetes\nhint: " in refusal(path)
    assert "under `manifests`" in refusal(path)


def test_what_is_no_text_is_told_once(tmp_path: Path) -> None:
    """An archive has a thousand characters that no manifest may have."""
    archive = io.BytesIO()
    with tarfile.open(fileobj=archive, mode="w") as tar:
        tar.add(manifest_in(tmp_path), "cluster.yaml")
    for content in (archive.getvalue(), random.Random(1).randbytes(3000)):
        found = mistaken_for(content, "it")
        assert found is not None
        assert found.what == "no text"


def test_a_state_folder_is_told_with_its_option(tmp_path: Path) -> None:
    """It holds no cluster.yaml that could be named."""
    (tmp_path / "prod" / "journal").mkdir(parents=True)
    assert (
        f"it is a state folder; name the manifest, and it with --state: cluster.yaml --state {tmp_path}"
        in (refusal(tmp_path / "prod"))
    )


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.name)
def test_no_manifest_is_mistaken(path: Path) -> None:
    """Nor where it is JSON."""
    assert mistaken_for(path.read_bytes(), "it") is None


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"just words",
        MANIFEST.encode(),
        MANIFEST.encode("utf-16"),
        b"scenario: 1\nnodes: []\n",
        DEPLOYMENT + b"distro: rke2\n",
        b"# a\x00 that came along\ndistro: rke2\nnodes: []\n",
    ],
    ids=["empty", "words", "manifest", "utf-16", "a wrong key", "wrong keys", "a character"],
)
def test_what_may_be_a_manifest_with_mistakes_has_its_mistakes_told(content: bytes) -> None:
    """One by one, with their places."""
    assert mistaken_for(content, "it") is None


def test_a_manifest_in_json_is_none_of_them() -> None:
    """Whatever names its keys have, and those of its nodes' labels."""
    manifest = yaml.safe_load(MANIFEST)
    manifest["nodes"][0]["labels"] = {"operation": "batch", "kind": "web", "scenario": "1"}
    for text in (json.dumps(manifest), json.dumps(manifest, indent=1), json.dumps(manifest, indent=0)):
        assert mistaken_for(text.encode(), "it") is None
