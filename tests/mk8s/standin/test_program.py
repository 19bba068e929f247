"""The `rke2` program's pure parts, asked through perl: config, tokens, JSON, base64, archives.

What it does on a host is in tests/e2e/test_standin.py.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import shutil
from pathlib import Path
from typing import Any

import pytest

from mk8s.standin import build_release
from mk8s.standin.release import program
from tests.mk8s.standin.running import evaluate, run, written

pytestmark = pytest.mark.skipif(not shutil.which("perl"), reason="the stand-in is a perl program")

# What a Debian host has without the package `perl` (dpkg -L perl-base).
PERL_BASE = {
    *("strict", "warnings", "feature", "POSIX", "Fcntl", "File::Path", "IPC::Open2"),
    *("IO::Handle", "IO::Socket::INET", "IO::Socket::UNIX", "Socket"),
}


@pytest.fixture(scope="module")
def rke2(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return written(tmp_path_factory.mktemp("standin"), "v1.33.4+rke2r1")


def config_of(rke2: Path, folder: Path, text: str, *flags: str) -> dict[str, Any]:
    (folder / "config.yaml").write_text(text)
    done = run("perl", rke2, "standin-config", "--config", folder / "config.yaml", *flags)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def test_the_program_compiles_without_a_warning(rke2: Path) -> None:
    """perl -c says nothing but that all is well."""
    assert run("perl", "-wc", rke2).stderr.strip().endswith("syntax OK")
    assert run("perl", "-c", rke2).stderr.count("\n") == 1


@pytest.mark.parametrize("version", ["v1.33.4+rke2r1", "v1.33.4+k3s1", "v1.33.4+k0s.0"])
def test_the_program_uses_only_what_every_debian_host_has(version: str) -> None:
    """No module outside perl-base: hosts have no package `perl`."""
    used = re.findall(r"^use ([A-Z][A-Za-z0-9:]+|[a-z]{2,})", program(version, "amd64"), re.MULTILINE)
    assert set(used) <= PERL_BASE


def test_version_names_the_version_and_the_stand_in(rke2: Path) -> None:
    """The first line has RKE2's form and says what this is."""
    first = run("perl", rke2, "--version").stdout.splitlines()[0]
    assert first.startswith("rke2 version v1.33.4+rke2r1 ")
    assert "STAND-IN" in first


def test_what_is_not_built_says_so(rke2: Path) -> None:
    """No command pretends."""
    done = run("perl", rke2, "etcd-snapshot", "save")
    assert done.returncode == 1
    assert "stand-in: not built" in done.stderr


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("token: abc\n", {"token": "abc"}),
        ("token: 'a # b' # c\n", {"token": "a # b"}),
        ('token: "a\\"b: c"\n', {"token": 'a"b: c'}),
        ("token: it#is # a comment\n", {"token": "it#is"}),
        ("tls-san:\n  - a\n  - 'b'\n", {"tls-san": ["a", "b"]}),
        ("tls-san:\n- a # x\n- b\ntoken: t\n", {"tls-san": ["a", "b"], "token": "t"}),
        ("node-label: [a=1, \"b=2\", 'c=3']\n", {"node-label": ["a=1", "b=2", "c=3"]}),
        ("---\n# only words\n\ndebug: true\n", {"debug": "true"}),
        ("server: https://10.0.0.1:9345\n", {"server": "https://10.0.0.1:9345"}),
        ("some-new-key: 5\n", {"some-new-key": "5"}),
    ],
)
def test_a_flat_yaml_config_is_read(
    rke2: Path, tmp_path: Path, text: str, expected: dict[str, object]
) -> None:
    """Words, lists, quotes and comments; a key that nobody knows is kept."""
    assert config_of(rke2, tmp_path, text) == expected


def test_later_files_win_and_a_plus_adds(rke2: Path, tmp_path: Path) -> None:
    """config.yaml.d in the order of its names; `key+` adds to the list."""
    more = tmp_path / "config.yaml.d"
    more.mkdir()
    (more / "20.yaml").write_text("token: last\n")
    (more / "10.yaml").write_text("token: middle\ntls-san+:\n- c\n")
    assert config_of(rke2, tmp_path, "token: first\ntls-san: [a, b]\n") == {
        "token": "last",
        "tls-san": ["a", "b", "c"],
    }


def test_flags_win_over_files(rke2: Path, tmp_path: Path) -> None:
    """--key value and --key=value; a repeated flag is a list; a flag without a value is true."""
    found = config_of(
        rke2, tmp_path, "token: file\n", "--token=flag", "--tls-san", "a", "--tls-san=b", "--debug"
    )
    assert found == {"token": "flag", "tls-san": ["a", "b"], "debug": "true"}


def test_keys_of_k3s_are_dropped_with_a_warning(rke2: Path, tmp_path: Path) -> None:
    """RKE2 knows them not, and says so in its journal."""
    (tmp_path / "c.yaml").write_text("cluster-init: true\nflannel-backend: host-gw\ntoken: t\n")
    done = run("perl", rke2, "standin-config", "--config", tmp_path / "c.yaml")
    assert json.loads(done.stdout) == {"token": "t"}
    assert "Unknown flag --cluster-init found in config.yaml, skipping" in done.stderr
    assert "--flannel-backend" in done.stderr


@pytest.mark.parametrize(
    ("token", "expected"),
    [
        ("S3cret", "S3cret|"),
        ("with::colons", "with::colons|"),
        ("K10" + "a" * 64 + "::server:pw:1", "pw:1|" + "a" * 64),
        ("K10" + "b" * 64 + "::node:pw", "pw|" + "b" * 64),
    ],
)
def test_a_token_is_split_into_password_and_hash(rke2: Path, token: str, expected: str) -> None:
    """The short form has no hash; the secure form names the CA's."""
    assert evaluate(rke2, 'print join "|", split_token(shift)', token) == expected


def test_a_malformed_token_is_fatal(rke2: Path) -> None:
    """In RKE2's words, as a line of its journal."""
    done = run("perl", "-e", "require shift; split_token(shift)", rke2, "K10abc::server:x")
    assert done.returncode == 1
    assert 'level=fatal msg="failed to normalize token; must be in format K10' in done.stderr


@pytest.mark.parametrize("size", [0, 1, 2, 3, 44, 45, 46, 47, 89, 90, 91])
def test_base64_goes_there_and_back(rke2: Path, size: int) -> None:
    """Kubeconfigs carry certificates that way; every length modulo 3 and 45."""
    text = "".join(chr(33 + (7 * n) % 90) for n in range(size))
    code = "my $b = base64($ARGV[0] // ''); print $b, '|', unbase64($b)"
    assert evaluate(rke2, code, text) == f"{base64.b64encode(text.encode()).decode()}|{text}"


def test_json_goes_there_and_back(rke2: Path) -> None:
    """Our own documents: maps, lists, words with quotes, backslashes and line ends."""
    document = {"a": ["1", 'x"y', "back\\slash", "line\nend"], "m": {"empty": {}, "none": []}}
    said = evaluate(rke2, "print encode(decode(shift))", json.dumps(document))
    assert json.loads(said) == document


@pytest.mark.parametrize("text", ["", "{", '{"a":}', "[1,", "nonsense"])
def test_what_is_no_json_gives_nothing(rke2: Path, text: str) -> None:
    """A torn answer is no document, and no crash."""
    assert evaluate(rke2, "print defined decode($ARGV[0]) ? 'some' : 'none'", text) == "none"


def test_a_whole_archive_has_no_fault(rke2: Path, tmp_path: Path) -> None:
    """What the builder writes, the program accepts, and finds its runtime image in."""
    archive = build_release(tmp_path, images_size=300_000) / "rke2-images.linux-amd64.tar.zst"
    assert evaluate(rke2, "print archive_fault(shift)", str(archive)) == ""
    found = evaluate(
        rke2, "print index(beginning_of(shift), 'rke2-runtime:v1.33.4-rke2r1') > 0", str(archive)
    )
    assert found == "1"


@pytest.mark.parametrize(("lost", "fault"), [(1, "unexpected EOF"), (150_000, "unexpected EOF")])
def test_a_torn_archive_is_found(rke2: Path, tmp_path: Path, lost: int, fault: str) -> None:
    """A copy that was cut off is not imported."""
    archive = build_release(tmp_path, images_size=300_000) / "rke2-images.linux-amd64.tar.zst"
    archive.write_bytes(archive.read_bytes()[:-lost])
    assert evaluate(rke2, "print archive_fault(shift)", str(archive)) == fault


def test_an_archive_of_something_else_is_found(rke2: Path, tmp_path: Path) -> None:
    """A file with the right name and the wrong content."""
    path = tmp_path / "x.tar.zst"
    path.write_bytes(b"<html>not found</html>")
    assert "magic number" in evaluate(rke2, "print archive_fault(shift)", str(path))


def test_a_torn_gzip_archive_is_found(rke2: Path, tmp_path: Path) -> None:
    """The same for .tar.gz."""
    path = tmp_path / "x.tar.gz"
    path.write_bytes(gzip.compress(bytes(range(256)) * 100)[:-4])
    assert "EOF" in evaluate(rke2, "print archive_fault(shift)", str(path))


@pytest.mark.parametrize(
    "name", ["rke2/install.sh", "rke2/rke2-killall.sh", "rke2/rke2-uninstall.sh", "k3s/install.sh"]
)
def test_the_scripts_are_posix_sh(name: str) -> None:
    """Hosts may have dash or busybox as sh."""
    path = Path(__file__).parents[3] / "mk8s" / "standin" / "files" / "scripts" / name
    assert run("sh", "-n", path).stderr == ""


def test_kubectl_says_when_the_server_refuses(rke2: Path, tmp_path: Path) -> None:
    """kubectl's words and exit code."""
    kubectl = tmp_path / "kubectl"
    shutil.copy(rke2, kubectl)
    (tmp_path / "config").write_text("clusters: []\n")
    done = run(
        "perl",
        kubectl,
        "--kubeconfig",
        tmp_path / "config",
        "--server",
        "https://127.0.0.1:1",
        "get",
        "nodes",
    )
    assert done.returncode == 1
    assert "The connection to the server 127.0.0.1:1 was refused" in done.stderr
