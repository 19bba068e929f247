"""One address for all servers, held by programs that come in the release's own packages: on real hosts.

keepalived and haproxy are Debian's; the cluster is the stand-in's. The hosts have neither program before.
"""

from __future__ import annotations

import hashlib
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from mk8s.lab.places import cache_folder
from mk8s.lab.rootfs import tree_name
from tests.e2e.driving import Driver, drive, wait_until
from tests.e2e.labs import LabMaker

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

APT = """
mkdir -p "$1/partial"
fetch() {
  apt-get install --yes --no-install-recommends --download-only -o Dir::State::status="$2" \\
    -o Dir::Cache::archives="$1" -o APT::Sandbox::User=root keepalived haproxy
}
fetch "$@" || { apt-get -qq update && fetch "$@"; } || exit
rm -rf "$1/partial" "$1/lock"
"""


@pytest.fixture(scope="module")
def packages(lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """The two and all that the hosts' Debian lacks for them."""
    lab.fresh(1)  # a lab's first use on a machine makes that Debian
    status = cache_folder(os.environ, Path.home()) / tree_name() / "var/lib/dpkg/status"
    if not shutil.which("apt-get"):
        pytest.skip("there is no apt-get on this machine to fetch keepalived and haproxy with")
    folder = tmp_path_factory.mktemp("packages")
    done = subprocess.run(
        ["sh", "-c", APT, "sh", folder, status], capture_output=True, text=True, check=False, timeout=400
    )
    found = sorted(folder.glob("*.deb"))
    if done.returncode or not found:
        pytest.skip(f"keepalived and haproxy cannot be fetched here: {done.stderr.strip()[-200:]}")
    return found


def with_endpoint(driver: Driver, files: Path, packages: list[Path], address: str) -> None:
    """Give the manifest the address, and the release the packages."""
    release = driver.manifest.parent / "release"
    release.mkdir()
    for file in [*files.iterdir(), *packages]:
        shutil.copy(file, release)
    driver.edit(r"^artifacts_dir: .*$", f"artifacts_dir: {release}")
    lines = [
        f"  packages-{n}-servers: {{name: '{file.name}', checksum: '{_sum(file)}'}}"
        for n, file in enumerate(packages)
    ]
    driver.add("\n".join(["artifacts:", *lines]))
    driver.add(f"endpoint: {{address: {address}, by: keepalived}}")


def _sum(file: Path) -> str:
    return f"sha256:{hashlib.sha256(file.read_bytes()).hexdigest()}"


def holds(driver: Driver, i: int, address: str) -> bool:
    return f" {address}/32 " in driver.on_host(i, "ip -o -4 addr show")


def test_the_address_outlives_the_server_that_holds_it(
    lab: LabMaker, tmp_path: Path, release: Path, packages: list[Path]
) -> None:
    """Others join by it, it moves when the first server loses power, and it still leads to the cluster."""
    hosts = lab.fresh(3)
    driver = drive(hosts, tmp_path, release, servers=2)
    address = hosts.hosts[0].address.rpartition(".")[0] + ".200"
    with_endpoint(driver, release, packages, address)

    assert driver.run().code == 0
    wait_until(lambda: holds(driver, 1, address), "the first server holds the address")
    joined = driver.on_host(2, "cat /etc/rancher/rke2/config.yaml")
    assert f'server: "https://{address}:19345"' in joined
    ping = f"curl -sk --max-time 3 https://{address}:19345/ping || :"
    wait_until(lambda: driver.on_host(3, ping) == "pong", "it leads to the first server")

    assert driver.run().err.count("nothing to do") == 1

    hosts.kill(1)
    wait_until(lambda: holds(driver, 2, address), "the address moves to the second server")
    wait_until(lambda: driver.on_host(3, ping) == "pong", "it leads to the second server")
