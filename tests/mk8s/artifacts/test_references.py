"""The names of images, by the rules that every runtime follows."""

from __future__ import annotations

import pytest

from mk8s.artifacts.references import component_of, parse_reference

SHA = "sha256:" + "ab" * 32


@pytest.mark.parametrize(
    ("text", "registry", "repository", "tag", "digest"),
    [
        ("busybox", "docker.io", "library/busybox", "latest", ""),
        ("busybox:1.36", "docker.io", "library/busybox", "1.36", ""),
        ("rancher/klipper-lb:v0.4", "docker.io", "rancher/klipper-lb", "v0.4", ""),
        ("index.docker.io/library/nginx:1", "docker.io", "library/nginx", "1", ""),
        ("docker.io/nginx:1", "docker.io", "library/nginx", "1", ""),
        ("registry.k8s.io/coredns/coredns:v1.11.3", "registry.k8s.io", "coredns/coredns", "v1.11.3", ""),
        ("localhost/a/b:1", "localhost", "a/b", "1", ""),
        ("localhost:5000/a:1", "localhost:5000", "a", "1", ""),
        ("[fd00::1]:5000/a:1", "[fd00::1]:5000", "a", "1", ""),
        (f"ghcr.io/a/b@{SHA}", "ghcr.io", "a/b", "", SHA),
        (f"ghcr.io/a/b:1@{SHA}", "ghcr.io", "a/b", "1", SHA),
    ],
)
def test_a_name_is_taken_apart(text: str, registry: str, repository: str, tag: str, digest: str) -> None:
    """Docker Hub and its library where nothing else is said; a port is no tag."""
    found = parse_reference(text)
    assert (found.registry, found.repository, found.tag, found.digest) == (registry, repository, tag, digest)


@pytest.mark.parametrize(
    "text",
    [
        *(
            "",
            " ",
            "A/b",
            "a//b",
            "a/b:",
            "a/b:.x",
            "../etc:1",
            "-x",
            "reg.io/",
            "reg.io/a b",
            "reg.io/a:1\n",
        ),
        *("a/b@sha256:12", "a/b@md5:x", f"a@{SHA}@{SHA}", "http://reg.io/a", "a" * 300, "reg.io/../a:1"),
        *("reg.io:port/a", "reg.io/a?x=1", "reg_io.x/a:1"),
    ],
)
def test_what_no_registry_could_serve_is_refused(text: str) -> None:
    """Names become parts of URLs and of paths."""
    with pytest.raises(ValueError):
        parse_reference(text)


def test_a_runtime_looks_an_image_up_by_tag_and_by_digest() -> None:
    """A pod that names both is looked up by the digest."""
    assert parse_reference(f"busybox:1@{SHA}").names == (
        "docker.io/library/busybox:1",
        f"docker.io/library/busybox@{SHA}",
    )


def test_docker_hub_answers_elsewhere() -> None:
    """docker.io is a name; the registry's host is another."""
    assert parse_reference("busybox").address == "registry-1.docker.io"


def test_a_component_is_the_last_name() -> None:
    """Without registry, tag and digest."""
    assert component_of(f"localhost:5000/coredns/coredns:v1@{SHA}") == "coredns"
