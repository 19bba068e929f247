"""A disk of the operator's that fills up in the middle of a download: a small file system of its own."""

from __future__ import annotations

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from mk8s.lab import UnfitError
from mk8s.lab.machine import require_root
from mk8s.standin import build_release
from tests.e2e.driving import MK8S, wait_until
from tests.httpd import Hold, Server

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(600)]

VERSION = "v1.33.4+rke2r1"
RELEASES = f"github.com/rancher/rke2/releases/download/{VERSION}"
IMAGES = "rke2-images.linux-amd64.tar.zst"
SIZE = 96 << 20  # bytes
MANIFEST = """\
distro: rke2
version: {version}
mirrors: {{"*": "{server}"}}
nodes:
  - {{address: 10.0.0.11, role: server}}
"""


@pytest.fixture
def disk(tmp_path: Path) -> Iterator[Path]:
    """160 MiB: enough for the release, if nobody else writes there."""
    try:
        require_root()
    except UnfitError as reason:
        pytest.skip(reason.problem)
    folder = tmp_path / "disk"
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=160M", "tmpfs", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


def test_a_disk_that_fills_up_costs_what_was_on_its_way(disk: Path, tmp_path: Path) -> None:
    """It is said, no half file has a name, and the next download goes on with what had arrived."""
    build_release(tmp_path / "upstream" / RELEASES, VERSION, images_size=SIZE)
    path = f"/{RELEASES}/{IMAGES}"
    with Server(tmp_path / "upstream") as server:
        (disk / "cluster.yaml").write_text(MANIFEST.format(version=VERSION, server=server.url()))
        full = threading.Event()
        server.fault(path, Hold(SIZE // 3, full))
        with started(disk) as download:
            wait_until(lambda: server.sent[path] >= SIZE // 3, "a third was sent")
            filler = fill(disk)
            full.set()
            _, said = download.communicate(timeout=250)
        assert download.returncode in (1, 2), said  # 2: not even the note of what came from where fits
        assert f"{IMAGES}  (" in said
        assert "No space left on device" in said
        assert "free some space" in said
        assert "Traceback" not in said
        assert not (disk / "artifacts" / IMAGES).exists()
        filler.unlink()

        with started(disk) as again:
            _, said = again.communicate(timeout=250)
        assert again.returncode == 0, said
        assert (disk / "artifacts" / IMAGES).stat().st_size > SIZE
        assert server.sent[path] < SIZE + (16 << 20), "what was on its way, and buffers"


def started(disk: Path) -> subprocess.Popen[str]:
    env = {**os.environ, "XDG_CACHE_HOME": str(disk / "cache"), "TERM": "dumb"}
    return subprocess.Popen(
        [*MK8S, "download", "cluster.yaml"], cwd=disk, env=env, text=True, stderr=subprocess.PIPE
    )


def fill(disk: Path) -> Path:
    """Another program takes all the room there is."""
    filler = disk / "filler"
    with filler.open("wb") as stream:
        try:
            while True:
                stream.write(bytes(1 << 20))
                stream.flush()
        except OSError:
            pass
    return filler
