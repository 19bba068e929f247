"""The air gap, end to end: listed, fetched, bundled, carried into a place without a way out, and run there.

The files come from a server on this machine that has the layout of upstream's; the images are as large as
real ones. In the bunker everything runs from the bundle: mk8s too. A watch on the lab's bridge counts what
anybody sends elsewhere.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from machines import read_journal
from mk8s.lab import Lab
from mk8s.lab.manifest_writer import DEFAULT_VERSION, ManifestChoices
from mk8s.standin import build_release
from tests.e2e.bunker import Bunker, EgressWatch, bunker, watched
from tests.e2e.driving import MK8S, of_kind, states_of, wait_until
from tests.e2e.labs import LabMaker
from tests.httpd import Server, Stall

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(900)]

IMAGES = "rke2-images.linux-amd64.tar.zst"
RELEASES = f"/github.com/rancher/rke2/releases/download/{DEFAULT_VERSION}"
IMAGES_SIZE = 600 << 20  # bytes: RKE2's own are of this order
PIECE = 8 << 20
SLACK = 4 << 20  # bytes that lie in socket buffers when a connection is cut, for each fault


@dataclass
class Journey:
    """What the way from the connected side into the bunker left behind."""

    lab: Lab
    bunker: Bunker
    watch: EgressWatch
    server: Server
    connected: Path  # the folder on the connected side
    carried: Path  # what was carried: the bundle alone
    inside: Path  # where it was unpacked
    listed: str
    said: dict[str, str]

    def mk8s(self, *words: str) -> subprocess.CompletedProcess[str]:
        """mk8s from the bundle, in the bunker."""
        return self.bunker.run(str(self.inside / "mk8s" / "mk8s"), *words, cwd=self.inside)


@pytest.fixture(scope="module")
def journey(lab: LabMaker, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Journey]:
    """The whole way, with a kill -9 in each phase."""
    base = tmp_path_factory.mktemp("airgap")
    hosts = lab.fresh(3)
    with bunker(hosts) as inside, watched(hosts) as watch:
        connected = base / "connected"
        connected.mkdir()
        server = Server(_upstream(base / "upstream"))
        travel = Journey(hosts, inside, watch, server, connected, base / "carried", base / "inside", "", {})
        with server:
            _write_manifest(hosts, connected, server)
            _fetch(travel, base)
            _bundle(travel, base)
        _unpack(travel)
        _run(travel)
        yield travel


def _upstream(root: Path) -> Path:
    """The server's folder: a stand-in for RKE2's release where RKE2 has its own."""
    folder = root / RELEASES.lstrip("/")
    build_release(folder, DEFAULT_VERSION, images_size=IMAGES_SIZE)
    return root


def _write_manifest(lab: Lab, folder: Path, server: Server) -> None:
    manifest = folder / "cluster.yaml"
    lab.write_manifest(manifest, ManifestChoices(servers=1))
    text = manifest.read_text()
    manifest.write_text(text.replace("nodes:\n", f'mirrors: {{"*": "{server.url()}"}}\nnodes:\n', 1))


def _environment(base: Path) -> dict[str, str]:
    return {**os.environ, "XDG_CACHE_HOME": str(base / "cache"), "TERM": "dumb"}


def _outside(base: Path, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*MK8S, *words], cwd=folder, env=_environment(base), capture_output=True, text=True,
        timeout=600, check=False,
    )  # fmt: skip
    print(f"$ mk8s {' '.join(words)}\n{done.stdout}{done.stderr}(exit code {done.returncode})")
    assert "Traceback" not in done.stderr, done.stderr
    return done


def _killed(command: list[str], env: dict[str, str], cwd: Path, when: Callable[[], bool]) -> bool:
    """Start a program and kill -9 it at a moment. Whether it was still running."""
    with subprocess.Popen(
        command, cwd=cwd, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as process:
        end = time.monotonic() + 300
        while process.poll() is None and not when():
            assert time.monotonic() < end, f"the moment to end it never came: {command}"
            time.sleep(0.005)
        alive = process.poll() is None
        process.send_signal(signal.SIGKILL)
    return alive


def _fetch(travel: Journey, base: Path) -> None:
    """List and download; killed twice, cut once."""
    folder, server = travel.connected, travel.server
    travel.listed = _outside(base, folder, "artifacts", "list", "cluster.yaml", "--output", "json").stdout
    path, arrived = f"{RELEASES}/{IMAGES}", base / "cache"
    for until in (IMAGES_SIZE // 10, IMAGES_SIZE // 2):
        server.fault(path, Stall(until - server.sent[path]))  # so that it cannot end before it is killed
        assert _killed(
            [*MK8S, "download", "cluster.yaml"],
            _environment(base),
            folder,
            lambda until=until: _largest(arrived) >= until - PIECE,  # type: ignore[misc]
        )
    done = _outside(base, folder, "download", "cluster.yaml")
    assert done.returncode == 0, done.stderr
    travel.said["download"] = done.stderr


def _bundle(travel: Journey, base: Path) -> None:
    """Put together (killed once), signed, and carried: moved, and everything else taken away."""
    folder = travel.connected
    subprocess.run(
        ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ops@example.org", "-f", str(base / "signer")],
        check=True,
    )
    words = ["bundle", "create", "cluster.yaml", "-o", "site.mk8s.tar", "--sign", str(base / "signer")]
    bundle = folder / "site.mk8s.tar"
    struck = _killed(
        [*MK8S, *words], _environment(base), folder, lambda: any(_size(p) > PIECE for p in folder.glob(".*"))
    )
    assert not (struck and bundle.exists()), "a bundle that is not whole has its name"
    bundle.unlink(missing_ok=True)  # made in the time of one look: a very quick machine, or one that stood
    made = _outside(base, folder, *words)
    assert made.returncode == 0, made.stderr
    travel.carried.mkdir()
    bundle.rename(travel.carried / "site.mk8s.tar")
    public = (base / "signer.pub").read_text()
    (travel.carried / "signers").write_text(f"ops@example.org {public}")
    shutil.rmtree(folder)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0


def _unpack(travel: Journey) -> None:
    """In the bunker mk8s comes out of the bundle by tar alone; then it verifies and unpacks its own."""
    inside, carried, place = travel.inside, travel.carried, travel.bunker
    inside.mkdir()
    assert place.run("tar", "-xf", str(carried / "site.mk8s.tar"), "-C", str(inside), "mk8s").returncode == 0
    bundle, signers = str(carried / "site.mk8s.tar"), str(carried / "signers")
    verified = travel.mk8s("bundle", "verify", bundle, "--signers", signers, "--require-signature")
    assert verified.returncode == 0, verified.stderr
    travel.said["verify"] = verified.stdout + verified.stderr
    command = place.words(str(inside / "mk8s" / "mk8s"), "bundle", "unpack", bundle, str(inside))
    struck = _killed(command, dict(os.environ), inside, lambda: _largest(inside) > IMAGES_SIZE // 4)
    images = inside / "artifacts" / IMAGES
    assert not (struck and images.exists()) or images.stat().st_size > IMAGES_SIZE, "it is not whole"
    unpacked = travel.mk8s("bundle", "unpack", bundle, str(inside))
    assert unpacked.returncode == 0, unpacked.stderr
    travel.said["unpack"] = unpacked.stderr


def _largest(folder: Path) -> int:
    return max((_size(path) for path in folder.rglob("*")), default=0)


def _run(travel: Journey) -> None:
    """Killed while the images travel, then run to its end."""
    command = travel.bunker.words(str(travel.inside / "mk8s" / "mk8s"), "run", "cluster.yaml")
    before = travel.bunker.sent()
    killed = _killed(
        command, dict(os.environ), travel.inside, lambda: travel.bunker.sent() - before > IMAGES_SIZE // 2
    )
    assert killed, "the run ended before it could be killed"
    done = travel.mk8s("run", "cluster.yaml")
    travel.said["run"] = done.stderr
    travel.said["code"] = str(done.returncode)
    travel.said["sent"] = str(travel.bunker.sent() - before)


def test_every_node_becomes_healthy_in_the_bunker(journey: Journey) -> None:
    """From the bundle alone, mk8s included, after a kill in each phase."""
    assert journey.said["code"] == "0", journey.said["run"]
    (folder,) = journey.inside.glob(".mk8s/*/journal")
    assert set(states_of(read_journal(folder)).values()) == {"healthy"}


def test_nothing_was_sent_elsewhere(journey: Journey) -> None:
    """Neither by mk8s nor by a node: counted on the cable that all of them share."""
    assert "default" not in journey.bunker.routes()
    assert (journey.watch.count, journey.watch.seen) == (0, [])
    assert journey.watch.inside > IMAGES_SIZE / 65536, "the watch saw nothing at all"
    subprocess.run(
        journey.lab.ssh_command(1, ["echo x >/dev/udp/192.0.2.1/9"]), check=True, capture_output=True
    )
    wait_until(lambda: journey.watch.count == 1, "the watch sees what a host sends elsewhere")
    journey.watch.count = 0
    journey.watch.seen.clear()


def test_a_download_that_was_killed_costs_nothing_twice_but_what_was_in_flight(journey: Journey) -> None:
    """Two kills: what the server sent more than the file is within a piece for each."""
    extra = journey.server.sent[f"{RELEASES}/{IMAGES}"] - (IMAGES_SIZE + (1 << 20))
    assert extra <= 2 * (PIECE + SLACK)


def test_files_that_were_on_their_way_to_nodes_are_sent_on_from_where_they_were(journey: Journey) -> None:
    """Three nodes, one kill: at the most one piece for each of them travels twice."""
    sent = int(journey.said["sent"])
    assert sent <= 3 * (IMAGES_SIZE + PIECE) * 1.06 + 3 * SLACK, "6 % for packet headers and SSH"


def test_the_signature_was_checked(journey: Journey) -> None:
    """By the tool that is on the machine, and said with the signer's name."""
    assert "ops@example.org" in journey.said["verify"]


def test_the_list_named_what_was_fetched(journey: Journey) -> None:
    """The list is known before anything is fetched, and is the same."""
    listed = {artifact["file"] for artifact in json.loads(journey.listed)["artifacts"]}
    assert listed <= {path.name for path in (journey.inside / "artifacts").iterdir()}


def test_each_node_got_its_files_once(journey: Journey) -> None:
    """By the journal: the stage edges of the resumed run sent the rest, and no more."""
    (folder,) = journey.inside.glob(".mk8s/*/journal")
    done = of_kind(read_journal(folder), "done", "stage")
    assert len(done) == 3
