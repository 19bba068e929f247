"""Everything wrong at once, on real hosts: one run tells all of it, and changes nothing on any node.

The release is made of tiny files: what preflight reads of them is their hashes, the version in their
text and the list of images.
"""

from __future__ import annotations

import hashlib
import io
import json
import re
import tarfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from mk8s.distros.base import ArtifactItem
from mk8s.lab import Lab
from mk8s.lab.manifest_writer import ManifestChoices
from mk8s.project import load_project
from tests.e2e.driving import Driver, Finished
from tests.e2e.labs import LabMaker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

VERSION = "v1.20.2"
PROGRAMS = ("kube-apiserver", "kube-controller-manager", "kube-scheduler", "kube-proxy")
IMAGES = (
    *(f"k8s.gcr.io/{name}:{VERSION}" for name in PROGRAMS),
    "k8s.gcr.io/etcd:3.4.13-0",
    "k8s.gcr.io/coredns:1.7.0",
)
PAUSE = "k8s.gcr.io/pause:3.2"
SWAP = "printf 'Filename Type Size Used Priority\\n/dev/vda9 partition 2097148 0 -2\\n' >/run/swaps"
DATE = '#!/bin/sh\\nexec /bin/date -d "5 minutes" "$@"\\n'
CHANGED = (
    "find / /var -xdev -newer /run/began -not -path '/var/log/*' -not -path '/proc/*' -not -type d; "
    "ls -A /var/lib/mk8s /etc/mk8s 2>/dev/null; :"
)
Row = tuple[str, str, str, str]


@pytest.fixture
def hosts(lab: LabMaker) -> Iterator[Lab]:
    """Two servers and an agent, whose disks and names no other test gets to see."""
    made = lab.fresh(3)
    yield made
    lab.close()


def drive_distro(distro: str, lab: Lab, folder: Path) -> Driver:
    """A manifest of that distro, with a release folder that is empty yet."""
    (folder / "release").mkdir()
    manifest = folder / "cluster.yaml"
    choices = ManifestChoices(distro=distro, version=VERSION, servers=2, artifacts=folder / "release")
    lab.write_manifest(manifest, choices)
    return Driver(lab, manifest)


def items_of(driver: Driver) -> list[ArtifactItem]:
    project = load_project(driver.manifest)
    return [item for item in project.distro.artifacts(project.cluster) if item.id != "checksums"]


def write_release(driver: Driver, images: tuple[str, ...], **versions: str) -> dict[str, str]:
    """Tiny files in place of the real ones, and their hashes in SHA256SUMS. Returns file names by id."""
    folder = driver.manifest.parent / "release"
    names = {}
    for item in items_of(driver):
        version = versions.get(item.id, VERSION)
        content = archive(images) if item.id.startswith("images") else f"{item.id}\0{version}\0".encode()
        (folder / item.file).write_bytes(content)
        names[item.id] = item.file
    sums = (
        f"{hashlib.sha256((folder / name).read_bytes()).hexdigest()}  {name}\n" for name in names.values()
    )
    (folder / "SHA256SUMS").write_text("".join(sums))
    return names


def archive(images: tuple[str, ...]) -> bytes:
    stream = io.BytesIO()
    content = json.dumps([{"RepoTags": [name]} for name in images]).encode()
    with tarfile.open(fileobj=stream, mode="w") as tar:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        tar.addfile(member, io.BytesIO(content))
    return stream.getvalue()


def spoil_hosts(driver: Driver) -> None:
    """Swap on the first; the port and leftovers on the second; the clock and its name on the third."""
    driver.on_host(1, f"{SWAP}; mount --bind /run/swaps /proc/swaps")
    driver.on_host(2, "systemd-run -q --unit=taken systemd-socket-activate -l 6443 /bin/cat")
    driver.on_host(2, "until ss -Hltn 'sport = :6443' | grep -q 6443; do sleep 0.05; done")
    driver.on_host(2, "mkdir -p /etc/kubernetes/pki; echo old >/etc/kubernetes/pki/ca.crt")
    driver.on_host(3, f"printf '{DATE}' >/usr/local/bin/date; chmod 755 /usr/local/bin/date")
    driver.on_host(3, f"hostname {driver.lab.hosts[1].name}")


def mend_hosts(driver: Driver) -> None:
    driver.on_host(1, "umount /proc/swaps")
    driver.on_host(2, "systemctl stop taken; rm -r /etc/kubernetes")
    driver.on_host(3, f"rm /usr/local/bin/date; hostname {driver.lab.hosts[2].name}")


def rows_of(finished: Finished) -> list[Row]:
    """The table's rows, wherever it was printed: node, check, result, what."""
    rows = [
        re.split(r"\s{2,}", line.strip(), maxsplit=3) for line in (finished.out + finished.err).splitlines()
    ]
    return [
        (r[0], r[1], r[2], r[3]) for r in rows if len(r) == 4 and r[2].partition(",")[0] in ("error", "warn")
    ]


def errors_of(finished: Finished) -> dict[tuple[str, str], str]:
    return {(node, check): what for node, check, result, what in rows_of(finished) if result == "error"}


@pytest.mark.parametrize("distro", ["vanilla", "kubeadm"])
def test_a_run_tells_all_that_is_wrong_at_once_and_changes_nothing(
    distro: str, hosts: Lab, tmp_path: Path
) -> None:
    """Hosts and release together, each by its name with a remedy; then, mended, preflight finds nothing."""
    driver = drive_distro(distro, hosts, tmp_path)
    first, second, third = (host.name for host in hosts.hosts)
    write_release(driver, IMAGES, kubelet="v1.20.3")
    damaged = driver.manifest.parent / "release" / next(i.file for i in items_of(driver) if i.id == "runc")
    damaged.write_bytes(b"damaged")
    spoil_hosts(driver)
    for i in (1, 2, 3):
        driver.on_host(i, "touch /run/began")

    refused = driver.run()

    told = errors_of(refused)
    assert refused.code == 1
    assert told[first, "swap"] == "swap is on: /dev/vda9 (2.0 GiB); the kubelet refuses to start"
    assert re.fullmatch(
        r"port taken: TCP 6443 \((kube-apiserver|the API server)\)( by systemd.* \(pid \d+\))?",
        told[second, "ports"],
    )
    assert re.fullmatch("an earlier cluster left /etc/kubernetes(/pki/ca.crt)?", told[second, "leftovers"])
    ahead = re.match(r"its clock is (\d+\.\d) s ahead of the one here", told[third, "clock"])
    assert ahead
    assert float(ahead[1]) == pytest.approx(300, abs=60)  # a busy host answers late
    twins = f"its hostname {second!r} is also that of "
    assert (told[second, "hostname-unique"], told[third, "hostname-unique"]) == (
        twins + third,
        twins + second,
    )
    assert told["release", "release-images"] == "the release's images lack pause"
    assert told["release", "release-versions"].endswith(f"is not {VERSION}: it seems to be v1.20.3")
    assert told["release", "release-checksums"].startswith(f"{damaged}: its sha256 is ")
    assert len(told) == 9, refused.err
    assert refused.err.count("hint: ") >= len(rows_of(refused))
    assert not driver.records()
    assert [driver.on_host(i, CHANGED) for i in (1, 2, 3)] == ["", "", ""]

    driver.on_host(1, "touch /etc/seen")
    assert driver.on_host(1, CHANGED) == "/etc/seen\n"  # so the search above would have seen a change

    looked = driver.mk8s("preflight", str(driver.manifest))
    assert (looked.code, errors_of(looked).keys()) == (1, told.keys())

    mend_hosts(driver)
    only_release = driver.mk8s("preflight", str(driver.manifest), "--output", "json")
    assert only_release.code == 2
    assert {f["node"] for f in json.loads(only_release.out)["findings"] if f["level"] == "error"} == {None}

    write_release(driver, (*IMAGES, PAUSE))
    mended = driver.mk8s("preflight", str(driver.manifest), "--all")
    assert (mended.code, errors_of(mended)) == (0, {})


def test_what_is_waived_is_told_and_refuses_nothing(hosts: Lab, tmp_path: Path) -> None:
    """And a node that is away has failed no check: it is told as not asked."""
    driver = drive_distro("vanilla", hosts, tmp_path)
    write_release(driver, (*IMAGES, PAUSE))
    driver.on_host(1, f"{SWAP}; mount --bind /run/swaps /proc/swaps")
    driver.add("checks: {waive: [swap]}")
    hosts.cut(3)

    looked = driver.mk8s("preflight", str(driver.manifest))

    rows = {(node, check): (result, what) for node, check, result, what in rows_of(looked)}
    assert looked.code == 1
    assert rows[hosts.hosts[0].name, "swap"][0] == "error, waived"
    assert rows[hosts.hosts[2].name, "reachable"][1].startswith("not asked: ")
    assert errors_of(looked) == {}


def test_a_name_that_is_no_check_is_refused_with_the_nearest(hosts: Lab, tmp_path: Path) -> None:
    """Before anything is looked at."""
    driver = drive_distro("vanilla", hosts, tmp_path)
    driver.add("checks: {waive: [swop, arch]}")
    refused = driver.run()
    assert refused.code == 2
    assert "there is no check 'swop'; did you mean 'swap'?" in refused.err
    assert "arch cannot be waived" in refused.err
