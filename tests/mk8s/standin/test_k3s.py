"""The `k3s` stand-in's pure parts, and how its release folder looks."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
from pathlib import Path

import pytest

from mk8s.standin import build_release
from tests.mk8s.standin.running import evaluate, run, written

pytestmark = pytest.mark.skipif(not shutil.which("perl"), reason="the stand-in is a perl program")

VERSION = "v1.33.4+k3s1"


@pytest.fixture(scope="module")
def k3s(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("k3s"), VERSION)


def test_the_program_compiles_without_a_warning_and_says_what_it_is(k3s: Path) -> None:
    """The first line has K3s' form."""
    assert run("perl", "-wc", k3s).stderr.strip() == f"{k3s} syntax OK"
    first = run("perl", k3s, "--version").stdout.splitlines()[0]
    assert first.startswith(f"k3s version {VERSION} (STAND-IN")


@pytest.mark.parametrize(
    ("arch", "program"), [("amd64", "k3s"), ("arm64", "k3s-arm64")]
)  # amd64 has no suffix
def test_a_release_has_the_real_file_names(tmp_path: Path, arch: str, program: str) -> None:
    build_release(tmp_path, VERSION, arch, images_size=10)
    assert {path.name for path in tmp_path.iterdir()} == {
        program, f"k3s-airgap-images-{arch}.tar.zst", f"sha256sum-{arch}.txt", "k3s-images.txt",
        "install.sh", "LICENSE.txt", "README.txt",
    }  # fmt: skip
    named = dict(
        line.split("  ")[::-1] for line in (tmp_path / f"sha256sum-{arch}.txt").read_text().splitlines()
    )
    assert named[program] == hashlib.sha256((tmp_path / program).read_bytes()).hexdigest()
    assert set(named) == {program, f"k3s-airgap-images-{arch}.tar.zst"}


def test_an_old_release_has_the_plain_tar_beside_the_other(tmp_path: Path) -> None:
    """Below 1.29 mk8s asks for that one."""
    build_release(tmp_path, "v1.28.9+k3s1", images_size=10)
    assert (tmp_path / "k3s-airgap-images-amd64.tar").exists()


def test_keys_of_k3s_are_kept_and_the_environment_counts(
    k3s: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What RKE2 drops is K3s' own; K3S_URL and K3S_TOKEN stand for `server` and `token`."""
    monkeypatch.setenv("K3S_URL", "https://10.0.0.1:6443")
    monkeypatch.setenv("K3S_TOKEN", "no")
    (tmp_path / "c.yaml").write_text("cluster-init: true\nflannel-backend: none\ntoken: t\n")
    done = run("perl", k3s, "standin-config", "--config", tmp_path / "c.yaml")
    assert json.loads(done.stdout) == {
        "cluster-init": "true",
        "flannel-backend": "none",
        "token": "t",
        "server": "https://10.0.0.1:6443",
    }


def test_one_item_of_a_list_can_be_what_servers_must_agree_on(k3s: Path) -> None:
    """`disable` may differ, but for servicelb."""
    code = "print encode(critical({disable => ['traefik', shift]}))"
    assert json.loads(evaluate(k3s, code, "servicelb"))["disable=servicelb"] == "true"
    assert json.loads(evaluate(k3s, code, "coredns"))["disable=servicelb"] == ""


@pytest.mark.parametrize("size", [0, 3, 55, 56, 63, 64, 65, 119, 120, 1000])
def test_sha256_and_hmac_are_right(k3s: Path, size: int) -> None:
    """For SCRAM, in perl: every length around a block's end, as message and as key."""
    text = "x" * size
    code = "my $t = $ARGV[0] // ''; print unpack('H*', sha256_raw($t)), ' ', unpack 'H*', hmac($t, 'data')"
    expected = hashlib.sha256(text.encode()).hexdigest(), hmac.digest(text.encode(), b"data", "sha256").hex()
    assert tuple(evaluate(k3s, code, text).split()) == expected


def test_a_password_is_salted_as_scram_does_it(k3s: Path, tmp_path: Path) -> None:
    """PBKDF2 (RFC 7677); the result is kept, so that later connections are quick."""
    code = (
        "our $RUN = shift; print unpack 'H*', salted_password('pass word', 'salt of 16 bytes', 4096) for 1, 2"
    )
    expected = hashlib.pbkdf2_hmac("sha256", b"pass word", b"salt of 16 bytes", 4096).hex()
    assert evaluate(k3s, code, str(tmp_path)) == expected * 2
    assert [path.stat().st_mode & 0o777 for path in tmp_path.iterdir()] == [0o600]


@pytest.mark.parametrize(
    ("endpoint", "expected"),
    [
        ("postgres://u:p%40%2F@db:5433/k3s?sslmode=disable", "db 5433 u p@/ k3s"),
        ("postgresql://u@10.0.0.1/", "10.0.0.1 5432 u  kubernetes"),
        ("postgres://10.0.0.1", "10.0.0.1 5432 postgres  kubernetes"),
        ("mysql://u:p@tcp(db:3306)/k3s", "stand-in: not built: datastore mysql"),
        ("https://etcd1:2379,https://etcd2:2379", "stand-in: not built: datastore https"),
        ("postgres://u:p@db/k3s?sslmode=verify-full", "stand-in: not built: TLS to the datastore"),
    ],
)
def test_an_endpoint_is_read_or_refused(k3s: Path, endpoint: str, expected: str) -> None:
    """What is not built says so."""
    code = "my ($d, $why) = parse_endpoint(shift); "
    code += "print $d ? join ' ', @$d{qw(host port user password database)} : $why"
    assert evaluate(k3s, code, endpoint) == expected


def test_sealed_data_open_with_the_same_secret_only(k3s: Path, tmp_path: Path) -> None:
    """Bootstrap data lie in the datastore encrypted with the token."""
    code = (
        "our $RUN = shift; my $s = sealed('{\"a\":\"1\"}', 'token'); "
        "print $s =~ /a/ && $s =~ /\"/ ? 'open' : 'closed', '|', sealed($s, 'token', '-d'), '|', "
        "defined decode(sealed($s, 'other', '-d')) ? 'open' : 'closed'"
    )
    assert evaluate(k3s, code, str(tmp_path)) == 'closed|{"a":"1"}|closed'


def test_templates_of_kubectl_are_understood(k3s: Path) -> None:
    """if, else, with, range over lists and maps, printf; what is absent has Go's word."""
    template = (
        '{{range .items}}{{printf "%q" .name}}{{if .on}} on{{else}} off{{end}}'
        "{{range $k, $v := .labels}} {{$k}}={{$v}}{{end}}"
        '{{with .gone}}{{.}}{{else}} {{.gone}}{{end}}{{"\\n"}}{{end}}'
    )
    document = {"items": [{"name": 'a"', "on": True, "labels": {"y": "2", "x": "1"}}, {"name": "b"}]}
    said = evaluate(k3s, "print go_template(shift, decode(shift))", template, json.dumps(document))
    assert said == '"a\\"" on x=1 y=2 <no value>\n"b" off <no value>\n'


@pytest.mark.parametrize(
    ("client", "node"),
    [("O = system:nodes, CN = system:node:node-1", "node-1"), ("O=system:masters, CN=system:admin", "")],
)
def test_a_kubelet_is_known_by_its_certificate(k3s: Path, client: str, node: str) -> None:
    """It may read its own Node and no other."""
    assert evaluate(k3s, "print kubelet_of(shift)", client) == node
