"""mk8s.artifacts.egress and .sources: which URL is used, and which never is."""

from __future__ import annotations

from dataclasses import replace

import pytest

from mk8s.artifacts.egress import Egress, EgressError, egress_in_air_gap, shown_url
from mk8s.artifacts.sources import name_in, resolve_url, sources_of
from mk8s.cluster import ArtifactSource
from mk8s.distros.base import ArtifactItem, Origin
from tests.mk8s.examples import cluster

GAP = Egress(frozenset({"https://mirror.example/k8s", "http://10.0.0.1:8080"}))
UPSTREAM = "https://dl.k8s.io/release/v1.33.4/bin/linux/amd64/kubelet"
EVERYONE = frozenset({"primary", "server", "agent"})


@pytest.mark.parametrize(
    "url",
    [
        "https://mirror.example/k8s",
        "https://mirror.example/k8s/v1/kubelet",
        "https://MIRROR.example:443/k8s/v1%2B2/kubelet?signed=1",
        "http://10.0.0.1:8080/anything",
        "file:///media/usb/kubelet",
    ],
)
def test_what_lies_under_an_allowed_place_may_be_used(url: str) -> None:
    """Its own spelling of the same place, too."""
    GAP.refuse(url, "kubelet")


@pytest.mark.parametrize(
    "url",
    [
        "https://dl.k8s.io/kubelet",
        "http://mirror.example/k8s/kubelet",
        "https://mirror.example/k8s-other/kubelet",
        "https://mirror.example/other",
        "https://mirror.example.evil.example/k8s/kubelet",
        "https://mirror.example@evil.example/k8s/kubelet",
        "https://mirror.example:8443/k8s/kubelet",
        "https://mirror.example/k8s/../other",
        "https://mirror.example/k8s/%2e%2e/other",
        "https://mirror.example\\@evil.example/k8s/x",
        "http://10.0.0.1:80800/x",
        "ftp://mirror.example/k8s/x",
    ],
)
def test_everything_else_is_refused(url: str) -> None:
    """Whatever it is made to look like."""
    with pytest.raises(EgressError):
        GAP.refuse(url, "kubelet")


def test_a_refusal_says_what_who_and_what_to_do() -> None:
    """The URL, who wanted it, and the two ways out."""
    with pytest.raises(EgressError) as caught:
        GAP.refuse(UPSTREAM, "kubelet")
    for words in (UPSTREAM, "kubelet wants it", "mk8s download", "mk8s bundle", "mirrors"):
        assert words in str(caught.value)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("url", ["", "dl.k8s.io/x", "https://", "file://", "https://a b/", "javascript:x"])
def test_where_all_is_allowed_what_is_no_url_is_not(url: str) -> None:
    """Connected, any host may be asked, in the ways that mk8s knows."""
    with pytest.raises(EgressError, match="no address"):
        Egress().refuse(url, "kubelet")
    Egress().refuse(UPSTREAM, "kubelet")


def test_an_air_gap_has_the_doors_that_the_manifest_names() -> None:
    """Mirrors, registries that are mirrors, and the artifacts' own URLs; nothing else."""
    gap = egress_in_air_gap(
        replace(
            cluster(),
            mirrors={
                "https://dl.k8s.io": "https://mirror.example/k8s",
                "registry.k8s.io": "reg.example:5000",
            },
            artifacts={"kubelet": ArtifactSource(url="https://own.example/kubelet")},
        )
    )
    assert gap.allows("https://mirror.example/k8s/v1/kubelet")
    assert gap.allows("https://reg.example:5000/v2/pause/manifests/3.10")
    assert gap.allows("https://own.example/kubelet")
    assert not gap.allows("https://own.example/kubectl")
    assert not gap.allows(UPSTREAM)


def test_a_manifest_without_mirrors_opens_nothing() -> None:
    """No list is not every list."""
    assert not egress_in_air_gap(cluster()).allows(UPSTREAM)


@pytest.mark.parametrize(
    ("mirrors", "found"),
    [
        ({}, UPSTREAM),
        ({"https://dl.k8s.io": "https://m.example/dl"}, "https://m.example/dl/release/v1.33.4/bin/linux/amd64/kubelet"),
        ({"https://dl.k8s.io/": "https://m.example/"}, "https://m.example/release/v1.33.4/bin/linux/amd64/kubelet"),
        ({"https://dl.k8s": "https://m.example"}, UPSTREAM),
        (
            {"https://dl.k8s.io": "https://short.example", "https://dl.k8s.io/release": "https://long.example"},
            "https://long.example/v1.33.4/bin/linux/amd64/kubelet",
        ),
        ({"*": "https://all.example/"}, "https://all.example/dl.k8s.io/release/v1.33.4/bin/linux/amd64/kubelet"),
        (
            {"*": "https://all.example", "https://dl.k8s.io": "file:///media/usb"},
            "file:///media/usb/release/v1.33.4/bin/linux/amd64/kubelet",
        ),
    ],
)  # fmt: skip
def test_the_longest_fitting_mirror_wins(mirrors: dict[str, str], found: str) -> None:
    """By whole parts of the path; the star takes the rest, with the host in the path."""
    assert resolve_url(UPSTREAM, mirrors) == found


def test_no_url_has_no_mirror() -> None:
    """What is put together here, or is nobody's to give, stays so."""
    assert resolve_url("", {"*": "https://all.example"}) == ""


def item(name: str, origin: Origin = Origin()) -> ArtifactItem:  # noqa: B008 - frozen
    return ArtifactItem(name, f"{name}.file", "a file", True, EVERYONE, True, origin)


def test_the_manifests_own_url_wins_over_mirrors() -> None:
    """And its checksum is a promise; the list of hashes still has upstream's name for the file."""
    given = replace(
        cluster(),
        mirrors={"https://dl.k8s.io": "https://m.example"},
        artifacts={"kubelet": ArtifactSource(url="file:///usb/k", checksum="sha256:" + "AB" * 32)},
    )
    (source,) = sources_of([item("kubelet", Origin(UPSTREAM, UPSTREAM + ".sha256"))], given)
    assert (source.url, source.promised) == ("file:///usb/k", "ab" * 32)
    assert name_in(source.upstream) == "kubelet"
    assert source.checksums_url == "https://m.example/release/v1.33.4/bin/linux/amd64/kubelet.sha256"


def test_a_list_that_is_a_file_of_the_release_has_one_url() -> None:
    """The manifest's url for RKE2's list of hashes counts for all files that are in it."""
    hashes = "https://r.example/sha256sum-amd64.txt"
    items = [item("checksums", Origin(hashes)), item("binary", Origin("https://r.example/rke2.tgz", hashes))]
    given = replace(cluster(), artifacts={"checksums": ArtifactSource(url="file:///usb/sums")})
    assert [source.checksums_url for source in sources_of(items, given)] == ["", "file:///usb/sums"]


def test_files_of_the_users_own_have_no_source() -> None:
    """A manifest to apply lies where it lies."""
    own = replace(item("manifest-0"), file="/home/me/network.yaml")
    assert sources_of([own], cluster()) == []


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("https://user:secret@m.example/a", "https://m.example/a"),
        ("https://cdn.example/a?X-Signature=secret", "https://cdn.example/a?…"),
        ("file:///a/b@c", "file:///a/b@c"),
    ],
)
def test_secrets_in_urls_are_not_shown(url: str, shown: str) -> None:
    """Neither a password nor a signed query."""
    assert shown_url(url) == shown
