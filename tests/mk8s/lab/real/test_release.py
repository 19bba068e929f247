"""Where the release can be built, where Debian's packages come from, and how its folders are laid out."""

from __future__ import annotations

import gzip
import tarfile
from pathlib import Path

import pytest

from mk8s.lab.errors import UnfitError
from mk8s.lab.real import real_release, refuse_unfit
from mk8s.lab.real.artifacts import write_sums, write_tar_gz
from mk8s.lab.real.building import openapi_packages, version_flags
from mk8s.lab.real.recipe import release_digest
from mk8s.lab.real.release import missing_tools
from mk8s.lab.real.sources import choose_site
from mk8s.lab.release_command import copy_release


@pytest.mark.parametrize(("system", "machine"), [("linux", "aarch64"), ("darwin", "arm64")])
def test_other_platforms_are_told_what_works_there(system: str, machine: str) -> None:
    """Nothing is fetched for an architecture that would fail in the end."""
    with pytest.raises(UnfitError, match=f"amd64 only; this is {system} on {machine}") as refused:
        refuse_unfit(system, machine)
    assert "mk8s simulate" in refused.value.remedy


def test_missing_tools_are_those_that_are_not_found() -> None:
    assert missing_tools(lambda name: None if name == "gcc" else f"/usr/bin/{name}") == ["gcc"]


def test_a_finished_release_is_found_without_looking_further(tmp_path: Path) -> None:
    """No network, no tool, no lock: a lab starts in seconds."""
    release = tmp_path / "real" / f"release-{release_digest()}"
    release.mkdir(parents=True)
    said: list[str] = []
    found = real_release(tmp_path, said.append)
    assert (found.kubeadm, found.vanilla, said) == (release / "kubeadm", release / "vanilla", [])


def test_the_mirror_that_has_our_suite_goes_first() -> None:
    """Its packages are near; security archives have another layout and are none."""
    targets = (
        "http://near/debian-security bookworm-security Debian-Security\n"
        "http://a/debian trixie Debian\n"
        "http://b/debian bookworm Debian\n"
        "https://elsewhere/repo nodistro . nodistro\n"
    )
    assert choose_site(targets) == "http://b/debian"


def test_a_mirror_of_another_suite_has_ours_too() -> None:
    assert choose_site("http://a/debian trixie Debian\n") == "http://a/debian"


def test_a_machine_that_is_not_debian_has_no_mirror_to_offer() -> None:
    assert choose_site("http://archive/ubuntu noble Ubuntu\n") is None


def test_versions_are_written_into_vendored_packages_too() -> None:
    """Without Go's modules these have another name; `kubectl version` would say v0.0.0."""
    flags = version_flags()
    for package in ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version"):
        assert f"-X {package}.gitVersion=v1.20.2" in flags
        assert f"-X k8s.io/kubernetes/vendor/{package}.gitVersion=v1.20.2" in flags


def test_openapi_tables_are_made_of_the_packages_that_ask_for_it(tmp_path: Path) -> None:
    """Examples and test data are not part of the API; staging is known by its vendored name."""
    marked = "// +k8s:openapi-gen=true\npackage v1\n"
    files = {
        "staging/src/k8s.io/api/core/v1/doc.go": marked,
        "pkg/apis/a/v1/doc.go": marked,
        "pkg/util/plain.go": "package util\n",
        "staging/src/k8s.io/sample-apiserver/pkg/doc.go": marked,
        "cmd/x/testdata/doc.go": marked,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    assert openapi_packages(tmp_path) == [
        "k8s.io/kubernetes/pkg/apis/a/v1",
        "k8s.io/kubernetes/vendor/k8s.io/api/core/v1",
    ]


def test_archives_of_programs_have_no_time_and_no_owner(tmp_path: Path) -> None:
    """Their checksum says something about their content only."""
    (tmp_path / "etcd").write_bytes(b"etcd")
    (tmp_path / "etcd").chmod(0o755)
    write_tar_gz(tmp_path / "a.tar.gz", {"etcd-v3/etcd": tmp_path / "etcd"})
    with gzip.open(tmp_path / "a.tar.gz") as unpacked, tarfile.open(fileobj=unpacked, mode="r|") as tar:
        found = [(i.name, i.size, i.mode, i.mtime, i.uid) for i in tar]
    assert found == [("etcd-v3/etcd", 4, 0o755, 0, 0)]
    packed = (tmp_path / "a.tar.gz").read_bytes()
    assert (packed[3], packed[4:8]) == (0, b"\0\0\0\0")  # RFC 1952: no name, no time


def test_checksums_are_in_the_words_of_sha256sum(tmp_path: Path) -> None:
    (tmp_path / "b").write_bytes(b"")
    (tmp_path / "a").write_bytes(b"abc")
    write_sums(tmp_path)
    assert (tmp_path / "SHA256SUMS").read_text() == (
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad  a\n"
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855  b\n"
    )


def test_a_copied_release_shares_nothing_with_the_cache(tmp_path: Path) -> None:
    """Who breaks the copy on purpose breaks no lab."""
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/kubelet").write_text("kubelet")
    copy = copy_release(tmp_path / "cache", tmp_path / "mine")
    (copy / "kubelet").write_text("broken")
    assert (tmp_path / "cache/kubelet").read_text() == "kubelet"


def test_a_folder_that_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(UnfitError, match="cannot be copied"):
        copy_release(tmp_path, tmp_path / "file")
