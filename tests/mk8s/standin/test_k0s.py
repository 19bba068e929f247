"""The `k0s` stand-in's pure parts, and how its release folder looks."""

from __future__ import annotations

import base64
import gzip
import hashlib
import io
import json
import shutil
import tarfile
from pathlib import Path

import pytest
import yaml

from mk8s.standin import build_release
from tests.mk8s.standin.running import evaluate, run, written

pytestmark = pytest.mark.skipif(not shutil.which("perl"), reason="the stand-in is a perl program")

VERSION = "v1.33.4+k0s.0"


@pytest.fixture(scope="module")
def k0s(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("k0s"), VERSION)


def test_the_version_stands_alone_and_the_stand_in_beside_it(k0s: Path) -> None:
    """Programs read the first, people the second. And it compiles without a warning."""
    assert run("perl", "-wc", k0s).stderr.strip() == f"{k0s} syntax OK"
    done = run("perl", k0s, "version")
    assert done.stdout == f"{VERSION}\n"
    assert "STAND-IN" in done.stderr


@pytest.mark.parametrize(
    ("version", "names"),
    [
        ("v1.27.1+k0s.0", {"k0s-airgap-bundle-v1.27.1+k0s.0-amd64", "airgap-images-list.txt"}),
        (VERSION, {f"k0s-airgap-bundle-{VERSION}-amd64", "airgap-images-list.txt", "sha256sums.txt"}),
        (
            "v1.36.1+k0s.0",
            {
                "k0s-airgap-bundle-v1.36.1+k0s.0-linux-amd64.tar",
                "airgap-images-linux-amd64.txt",
                "sha256sums.txt",
            },
        ),
    ],
)
def test_a_release_has_the_file_names_of_its_version(tmp_path: Path, version: str, names: set[str]) -> None:
    """The bundle was renamed with 1.36; the sums are there from 1.28.2 on."""
    build_release(tmp_path, version, images_size=10)
    assert {path.name for path in tmp_path.iterdir()} == {
        *names, f"k0s-{version}-amd64", "LICENSE.txt", "README.txt",
    }  # fmt: skip


def test_the_sums_are_marked_as_binary_and_the_bundle_is_a_plain_tar(tmp_path: Path) -> None:
    """`<hash> *<file>`; k0s unpacks nothing."""
    build_release(tmp_path, VERSION, images_size=10)
    program, bundle = f"k0s-{VERSION}-amd64", f"k0s-airgap-bundle-{VERSION}-amd64"
    lines = (tmp_path / "sha256sums.txt").read_text().splitlines()
    assert lines[0] == f"{hashlib.sha256((tmp_path / program).read_bytes()).hexdigest()} *{program}"
    with tarfile.open(fileobj=io.BytesIO((tmp_path / bundle).read_bytes()), mode="r:") as tar:
        assert tar.getnames()[0] == "manifest.json"


@pytest.mark.parametrize(
    "document",
    [
        {"a": {"b": {"c": "1"}}, "d": ["x", "y"]},
        {"list": [{"name": "a", "values": {"k": "v"}}, {"name": "b", "more": ["1", "2"]}]},
        {"text": 'it\'s: a "word" # here', "empty": {}, "none": []},
        {
            "spec": {
                "api": {"sans": ["10.0.0.1", "lb.example"]},
                "storage": {"kine": {"dataSource": "postgres://u:p@h/d"}},
            }
        },
    ],
)
def test_nested_yaml_is_read_in_every_style(k0s: Path, document: dict[str, object]) -> None:
    """Block, flow and JSON."""
    for text in (
        yaml.safe_dump(document),
        yaml.safe_dump(document, default_flow_style=True),
        json.dumps(document),
    ):
        assert json.loads(evaluate(k0s, "print encode(yaml_tree(shift))", text)) == document, text


def test_yaml_as_people_write_it(k0s: Path) -> None:
    """Comments, lists at the indent of their key, text blocks."""
    text = "# head\n---\nspec:  # here\n  sans:\n  - a # one\n  - 'b'\n"
    text += "  note: |\n    one\n    two\n  off:\n  on: true\n"
    found = json.loads(evaluate(k0s, "print encode(yaml_tree(shift))", text))
    assert found == {"spec": {"sans": ["a", "b"], "note": "one\ntwo\n", "off": None, "on": "true"}}


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("spec: {storage: {type: kine}}", ""),
        ("sepc: {}", 'unknown field "sepc"'),
        ("spec: {storge: {}}", 'unknown field "spec.storge"'),
        ("spec: {storage: {type: sqlite}}", "storage: type: Unsupported value"),
        ("spec: {network: {provider: cilium}}", "provider: Unsupported value"),
        (
            "spec: {api: {externalAddress: a}, network: {nodeLocalLoadBalancing: {enabled: true}}}",
            "cannot be used",
        ),
        ("spec:\n  - [", "failed to parse config"),
    ],
)
def test_a_config_is_validated(k0s: Path, tmp_path: Path, text: str, fault: str) -> None:
    """Exit 1 and why, on stderr."""
    (tmp_path / "k0s.yaml").write_text(text)
    done = run("perl", k0s, "config", "validate", "--config", tmp_path / "k0s.yaml")
    assert (done.returncode, fault in done.stderr) == (1 if fault else 0, True)


@pytest.mark.parametrize(
    ("role", "user"), [("worker", "kubelet-bootstrap"), ("controller", "controller-bootstrap")]
)
def test_a_token_is_a_packed_kubeconfig(k0s: Path, role: str, user: str) -> None:
    """One line of base64, in it gzip, in it the address, the CA and the secret."""
    said = evaluate(k0s, "print packed_token(shift, 'https://h:1', 'PEM', 'abcdef.0123456789abcdef')", role)
    found = yaml.safe_load(gzip.decompress(base64.b64decode(said, validate=True)))
    assert found["clusters"][0]["cluster"]["server"] == "https://h:1"
    assert found["users"][0] == {"name": user, "user": {"token": "abcdef.0123456789abcdef"}}


@pytest.mark.parametrize(("text", "seconds"), [("0s", "0"), ("10m", "600"), ("1h30m", "5400"), ("90s", "90")])
def test_a_duration_is_gos(k0s: Path, text: str, seconds: str) -> None:
    assert evaluate(k0s, "print seconds_of(shift)", text) == seconds


@pytest.mark.parametrize("text", ["10", "ten", "1d"])
def test_what_is_no_duration_is_refused(k0s: Path, text: str) -> None:
    done = run("perl", "-e", "require shift; seconds_of(shift)", k0s, text)
    assert (done.returncode, "invalid duration" in done.stderr) == (1, True)


@pytest.mark.parametrize(
    ("version", "learns", "retries"),
    [
        ("v1.30.14+k0s.0", "", ""),
        ("v1.31.0+k0s.0", "", ""),
        ("v1.31.1+k0s.0", "", "1"),
        ("v1.35.4+k0s.0", "", "1"),
        ("v1.35.5+k0s.0", "1", "1"),
        ("v1.36.0+k0s.0", "", "1"),
        ("v1.36.1+k0s.0", "1", "1"),
    ],
)
def test_the_way_into_etcd_depends_on_the_version(
    tmp_path: Path, version: str, learns: str, retries: str
) -> None:
    """Voters at once before v1.35.5 and v1.36.1; one try before v1.31.1."""
    code = "print joins_as_learner() ? 1 : '', '|', retries_to_join() ? 1 : ''"
    assert evaluate(written(tmp_path, version), code) == f"{learns}|{retries}"


def _state(*members: tuple[str, int]) -> str:
    found = {name: {"name": name, "ip": f"10.0.0.{n}", "started": s} for n, (name, s) in enumerate(members)}
    return json.dumps({"store": "etcd", "joins": len(found), "members": found})


@pytest.mark.parametrize(
    ("members", "said"),
    [
        ([("a", 1)], "added"),
        ([("a", 1), ("b", 1)], "added"),
        ([("a", 1), ("b", 0)], "etcdserver: re-configuration failed due to not enough started members"),
        (
            [("a", 1), ("b", 1), ("c", 0)],
            "etcdserver: re-configuration failed due to not enough started members",
        ),
        ([("a", 1), ("b", 1), ("c", 1)], "added"),
    ],
)
def test_a_voter_is_added_only_where_enough_of_them_run(
    k0s: Path, members: list[tuple[str, int]], said: str
) -> None:
    """etcd counts the new one, too: a majority of all has to run already."""
    code = (
        "my $s = decode(shift); eval { add_voter($s, {name => 'new', ip => '10.9.9.9', id => 'x'}) }; "
        "print ref $@ ? $@->[1] : $@ || 'added'"
    )
    assert evaluate(k0s, code, _state(*members)) == said


def test_a_peer_that_is_a_member_already_is_refused(k0s: Path) -> None:
    """As etcd does, also where that member never ran."""
    code = "eval { add_voter(decode(shift), {name => 'new', ip => '10.0.0.1', id => 'x'}) }; print $@->[1]"
    assert evaluate(k0s, code, _state(("a", 1), ("b", 0))) == "etcdserver: Peer URLs already exists"


@pytest.mark.parametrize(
    ("version", "flag", "known"),
    [
        ("v1.35.6+k0s.0", "--ignore-pre-flight-checks", False),
        ("v1.35.7+k0s.0", "--ignore-pre-flight-checks", True),
        ("v1.35.0+k0s.0", "--start", False),
        ("v1.24.1+k0s.0", "--env=A=b", False),
        ("v1.24.2+k0s.0", "--env=A=b", True),
        (VERSION, "--no-such-flag", False),
    ],
)
def test_install_knows_the_flags_of_its_version(tmp_path: Path, version: str, flag: str, known: bool) -> None:
    """Asked with one word too many, so that nothing is installed in any case."""
    done = run("perl", "-e", "require shift; sub must_be_root () {} install_service(@ARGV)",
               written(tmp_path, version), "controller", flag, "stop-here")  # fmt: skip
    assert done.returncode == 1
    assert ("unknown flag" in done.stderr) is not known


def test_the_unit_says_what_it_is_and_is_no_notifier(k0s: Path) -> None:
    """k0s' own properties: active proves nothing, restarts after ten seconds."""
    words = "['--config=/etc/k0s/k0s.yaml', '--kubelet-extra-args=--a=1 --b=2']"
    code = f"print unit_text('controller', {words}, 'A=b c')"
    lines = evaluate(k0s, code).splitlines()
    assert "STAND-IN" in lines[0]
    assert {"Restart=always", "RestartSec=10", "KillMode=process", "Delegate=yes"} <= set(lines)
    assert 'Environment="A=b c"' in lines
    (start,) = [line for line in lines if line.startswith("ExecStart=")]
    assert start.endswith('controller --config=/etc/k0s/k0s.yaml "--kubelet-extra-args=--a=1 --b=2"')
    assert not [line for line in lines if line.startswith("Type=")]
