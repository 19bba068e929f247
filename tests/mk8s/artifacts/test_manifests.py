"""What registries say of images, read strictly; and the logins and challenges before it."""

from __future__ import annotations

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from mk8s.artifacts.challenge import Challenge, read_challenge, read_token
from mk8s.artifacts.logins import Logins
from mk8s.artifacts.manifests import Index, Manifest, check_config, read_document
from mk8s.artifacts.places import place_of, registry_places
from mk8s.artifacts.references import parse_reference
from mk8s.artifacts.sources import resolve_url

OCI, DOCKER = "application/vnd.oci.image", "application/vnd.docker"
INDEX, MANIFEST = f"{OCI}.index.v1+json", f"{OCI}.manifest.v1+json"
DOCKER_MANIFEST = f"{DOCKER}.distribution.manifest.v2+json"


def blob(kind: str, number: int = 1, size: int = 10) -> dict[str, Any]:
    return {"mediaType": kind, "digest": f"sha256:{number:064x}", "size": size}


def manifest(**more: Any) -> dict[str, Any]:
    return {
        "schemaVersion": 2,
        "mediaType": MANIFEST,
        "config": blob(f"{OCI}.config.v1+json"),
        "layers": [blob(f"{OCI}.layer.v1.tar+gzip", 2)],
        **more,
    }


def index(*platforms: dict[str, str]) -> dict[str, Any]:
    entries = [
        {**blob(MANIFEST, number + 1), "platform": platform} for number, platform in enumerate(platforms)
    ]
    return {"schemaVersion": 2, "mediaType": INDEX, "manifests": entries}


def read(document: Any, content_type: str = "") -> Index | Manifest:
    return read_document(json.dumps(document).encode(), content_type or document.get("mediaType", ""))


def platform(arch: str, variant: str = "", system: str = "linux") -> dict[str, str]:
    return {"os": system, "architecture": arch, **({"variant": variant} if variant else {})}


@pytest.mark.parametrize(
    ("arch", "there", "chosen"),
    [
        ("amd64", [platform("arm64", "v8"), platform("amd64")], 2),
        ("arm64", [platform("amd64"), platform("arm64", "v8")], 2),
        ("arm64", [platform("arm", "v7"), platform("arm64")], 2),
        (
            "amd64",
            [platform("amd64", "", "windows"), platform("unknown", "", "unknown"), platform("amd64")],
            3,
        ),
        ("amd64", [platform("amd64", "v3"), platform("amd64")], 2),
    ],
)
def test_the_nodes_platform_is_chosen(arch: str, there: list[dict[str, str]], chosen: int) -> None:
    """Linux, the architecture, and no variant that an older processor could not run."""
    found = read(index(*there))
    assert isinstance(found, Index)
    assert found.choose(arch).digest == f"sha256:{chosen:064x}"


def test_a_platform_that_is_missing_is_told_with_those_that_are_there() -> None:
    """An arm64 cluster is told before anything was fetched."""
    found = read(index(platform("amd64"), platform("arm", "v7")))
    assert isinstance(found, Index)
    with pytest.raises(ValueError, match="no linux/arm64, only linux/amd64, linux/arm/v7"):
        found.choose("arm64")


def test_a_manifest_of_docker_is_read_too() -> None:
    """Version 2, schema 2, without a type of its own: then the header's counts."""
    document = manifest(
        mediaType=DOCKER_MANIFEST,
        config=blob(f"{DOCKER}.container.image.v1+json"),
        layers=[blob(f"{DOCKER}.image.rootfs.diff.tar.gzip", 3)],
    )
    del document["mediaType"]
    found = read(document, f"{DOCKER_MANIFEST}; charset=utf-8")
    assert isinstance(found, Manifest)
    assert found.media_type == DOCKER_MANIFEST


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (manifest(schemaVersion=1), "first format"),
        (manifest(manifests=[]), "not a container image"),
        ({**index(), "layers": []}, "not a container image"),
        (manifest(mediaType="application/vnd.cncf.helm.config.v1+json"), "not a container image"),
        (manifest(config=blob("application/vnd.cncf.helm.config.v1+json")), "not the config"),
        (manifest(config=None), "not a sha256 digest"),
        (manifest(layers=[blob("application/octet-stream")]), "not a layer"),
        (manifest(layers=[blob(f"{DOCKER}.image.rootfs.foreign.diff.tar.gzip")]), "may not be handed on"),
        (manifest(layers=[blob(f"{OCI}.layer.nondistributable.v1.tar+gzip")]), "may not be handed on"),
        (manifest(layers=[{**blob(f"{OCI}.layer.v1.tar"), "urls": ["https://x/"]}]), "may not be handed on"),
        (manifest(layers=[{**blob(f"{OCI}.layer.v1.tar"), "digest": "sha512:12"}]), "not a sha256 digest"),
        (
            manifest(layers=[{**blob(f"{OCI}.layer.v1.tar"), "digest": "sha256:../../x"}]),
            "not a sha256 digest",
        ),
        (manifest(layers=[blob(f"{OCI}.layer.v1.tar", size=1 << 40)]), "is the most"),
        (manifest(layers=[blob(f"{OCI}.layer.v1.tar", size=-1)]), "is the most"),
        (manifest(layers=[{**blob(f"{OCI}.layer.v1.tar"), "size": "10"}]), "is the most"),
        (manifest(layers=[blob(f"{OCI}.layer.v1.tar")] * 128), "127 is the most"),
        (manifest(layers={}), "no list of layers"),
        (manifest(layers=[1]), "no list of layers"),
        ([1], "not JSON of an image"),
    ],
)
def test_what_is_no_image_that_can_be_carried_is_refused(document: Any, words: str) -> None:
    """In words that say why, before any of it is fetched."""
    with pytest.raises(ValueError, match=words):
        read(document, "application/json")


@pytest.mark.parametrize("content", [b"", b"<html>", b"[" * 100_000, b"\xff"])
def test_an_answer_that_is_no_json_is_no_registrys(content: bytes) -> None:
    """A portal's page, for example."""
    with pytest.raises(ValueError, match="is it a registry at all"):
        read_document(content, "text/html")


def test_a_document_that_calls_itself_something_else_is_refused() -> None:
    """Two readers would see two images under one digest."""
    with pytest.raises(ValueError, match="calls itself"):
        read(manifest(), INDEX)


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ({"os": "linux", "architecture": "arm64"}, "it is for linux/arm64, and linux/amd64 is wanted"),
        ({"os": "windows", "architecture": "amd64"}, "it is for windows/amd64"),
        ({"os": "linux", "architecture": "amd64", "rootfs": {"diff_ids": []}}, "disagree"),
        ({"os": "linux", "architecture": "amd64"}, "disagree"),
    ],
)
def test_a_config_of_another_platform_is_found(config: dict[str, Any], words: str) -> None:
    """Where a name has no index, only the config tells what the image is for."""
    with pytest.raises(ValueError, match=words):
        check_config(json.dumps(config).encode(), "amd64", 1)


@pytest.mark.parametrize(
    ("header", "challenge"),
    [
        ('Bearer realm="https://a.example/token",service="s",scope="repository:x:pull"',
         Challenge("bearer", "https://a.example/token", "s", "repository:x:pull")),
        ("bearer realm=https://a.example/t , service=s", Challenge("bearer", "https://a.example/t", "s")),
        ('Basic realm="Registry"', Challenge("basic", "Registry")),
        ('Basic realm="a", Bearer realm="https://a.example/t"', Challenge("bearer", "https://a.example/t")),
        ("Negotiate", None),
        ("", None),
    ],
)  # fmt: skip
def test_a_challenge_is_read(header: str, challenge: Challenge | None) -> None:
    """Bearer before basic, quoted or not."""
    assert read_challenge(header) == challenge


def test_a_tokens_url_keeps_the_realms_query() -> None:
    """Some registries put an account there."""
    url = Challenge("bearer", "https://a.example/token?account=x", "s 1").url("repository:a/b:pull")
    assert url == "https://a.example/token?account=x&service=s+1&scope=repository%3Aa%2Fb%3Apull"


@pytest.mark.parametrize(
    "body", [b"", b"[]", b"{}", b'{"token": ""}', b'{"token": "a\\nb"}', b'{"token": 1}']
)
def test_an_answer_without_a_token_is_refused(body: bytes) -> None:
    """It would become a line of a header."""
    with pytest.raises(ValueError):
        read_token(body)


def test_logins_are_found_where_docker_and_curl_keep_them(tmp_path: Path) -> None:
    """By host; Docker Hub's under its old address. Docker's file goes before netrc."""
    auth = base64.b64encode(b"me:pa:ss").decode()
    auths = {
        "https://index.docker.io/v1/": {"auth": auth},
        "r.example:5000": {"username": "u", "password": "p"},
        "x": {},
    }
    (tmp_path / ".docker").mkdir()
    (tmp_path / ".docker/config.json").write_text(json.dumps({"auths": auths}))
    (tmp_path / ".netrc").write_text(
        "machine r.example:5000 login n password q\nmachine other login a password b\n"
    )
    (tmp_path / ".netrc").chmod(0o600)
    logins = Logins.of({}, tmp_path)
    found = {
        host: logins.find(host) for host in ("registry-1.docker.io", "r.example:5000", "other", "x", "no")
    }
    assert {host: login and (login.user, login.password) for host, login in found.items()} == {
        "registry-1.docker.io": ("me", "pa:ss"),
        "r.example:5000": ("u", "p"),
        "other": ("a", "b"),
        "x": None,
        "no": None,
    }


@pytest.mark.parametrize("text", ["", "{", "[]", '{"auths": 1}', '{"auths": {"a": 1, "b": {"auth": "%"}}}'])
def test_a_login_file_that_makes_no_sense_holds_none(text: str, tmp_path: Path) -> None:
    """It is not ours; public images need none."""
    (tmp_path / "config.json").write_text(text)
    assert Logins.of({"DOCKER_CONFIG": str(tmp_path)}, tmp_path).known == {}


def test_a_password_is_not_in_a_logins_repr(tmp_path: Path) -> None:
    """It would stand in a traceback."""
    (tmp_path / "config.json").write_text('{"auths": {"a": {"username": "u", "password": "hush"}}}')
    assert "hush" not in repr(Logins.of({"DOCKER_CONFIG": str(tmp_path)}, tmp_path))


@pytest.mark.parametrize(
    ("image", "mirrors", "url"),
    [
        ("a.example/x/y:1", {}, "https://a.example/v2/x/y/manifests/1"),
        ("busybox:1", {}, "https://registry-1.docker.io/v2/library/busybox/manifests/1"),
        ("busybox:1", {"docker.io": "http://m:5000"}, "http://m:5000/v2/library/busybox/manifests/1"),
        ("a.example/x:1", {"a.example": "m.example"}, "https://m.example/v2/x/manifests/1"),
        ("a.example/x:1", {"a.example": "https://m.example/k8s/"}, "https://m.example/v2/k8s/x/manifests/1"),
        (
            "a.example/x:1",
            {"a.example": "https://m.example/v2/k8s"},
            "https://m.example/v2/k8s/x/manifests/1",
        ),
        (
            "a.example/x:1",
            {"https://a.example/": "https://m.example/p"},
            "https://m.example/p/v2/x/manifests/1",
        ),
        ("a.example/x:1", {"*": "https://m.example/all"}, "https://m.example/all/a.example/v2/x/manifests/1"),
        ("a.example/x:1", {"*": "https://no", "a.example": "http://m"}, "http://m/v2/x/manifests/1"),
    ],
)
def test_mirrors_say_where_a_registry_answers(image: str, mirrors: dict[str, str], url: str) -> None:
    """A host's mirror is a registry, its path a part of the name; beginnings of URLs are replaced as text."""
    assert place_of(parse_reference(image), mirrors).url("manifests", "1") == url


def test_a_hosts_mirror_is_meant_for_its_files_too() -> None:
    """A host alone is the beginning https://host: never an entry without any effect."""
    assert resolve_url("https://a.example/x/y", {"a.example": "http://m/p"}) == "http://m/p/x/y"
    assert resolve_url("https://a.example.org/x", {"a.example": "http://m/p"}) == "https://a.example.org/x"


def test_an_air_gap_lets_the_registries_among_the_mirrors_be_asked() -> None:
    """By their hosts, because the path of such a mirror is no beginning of a URL."""
    mirrors = {
        "a.example": "https://m.example/k8s",
        "https://b.example/": "https://n.example/b",
        "*": "https://z",
    }
    assert list(registry_places(mirrors)) == ["https://m.example"]
