"""What end-to-end tests stand on: real hosts, the stand-in release, and the release of real Kubernetes.

`lab` and `real_release` are skipped, with a reason, where this machine cannot have them. The first use on a
machine builds the hosts' Debian tree, so tests with a lab get ten minutes unless they say otherwise; the
first use of the real release compiles Kubernetes, so these get half an hour, and the marker `real`.

SIGTERM ends the tests as Ctrl-C does: with all that their fixtures made taken down.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import nullcontext
from pathlib import Path
from threading import current_thread, main_thread

import pytest

from mk8s.lab import UnfitError
from mk8s.lab.machine import require_root
from mk8s.lab.manifest_writer import DEFAULT_VERSION
from mk8s.lab.places import cache_folder
from mk8s.lab.real import real_release as build_real_release
from mk8s.lab.real import refuse_unfit
from tests.e2e.driving import stand_in
from tests.e2e.labs import LabMaker, in_memory, refuse_full_disk

FIRST_USE = 600  # seconds
FIRST_REAL_USE = 1800
LONGEST = (
    *("test_real_clusters", "test_real_growth", "test_real_airgap"),
    *("test_standin", "test_faults", "test_prediction", "test_crashes", "test_fanout", "test_kill"),
)  # files that take minutes: first, so that none of them is what all others' end has to wait for


def pytest_configure() -> None:
    """Whoever stops the tests sends SIGTERM; by default hosts, mounts and namespaces would stay."""
    if signal.getsignal(signal.SIGTERM) is signal.SIG_DFL and current_thread() is main_thread():
        signal.signal(signal.SIGTERM, signal.default_int_handler)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What comes first, and more time for tests that may be the first to use a lab or the real release."""
    items.sort(key=_when)
    for item in items:
        fixtures = getattr(item, "fixturenames", ())
        if "real_release" in fixtures:
            item.add_marker(pytest.mark.real)
        if "lab" in fixtures and not item.get_closest_marker("timeout"):
            seconds = FIRST_REAL_USE if "real_release" in fixtures else FIRST_USE
            item.add_marker(pytest.mark.timeout(seconds))


def _when(item: pytest.Item) -> int:
    name = item.path.stem
    return LONGEST.index(name) if name in LONGEST else len(LONGEST)


@pytest.fixture(scope="session")
def lab(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabMaker]:
    """Makes hosts: `lab(3)`, or `lab.fresh(3)` for new ones. Always taken down, also after a kill -9.

    With real Kubernetes, of which each host holds more than a GiB, they are on the disk.
    """
    try:
        require_root()
    except UnfitError as reason:
        pytest.skip(reason.problem)
    folder = tmp_path_factory.mktemp("lab")
    large = any(item.get_closest_marker("real") for item in request.session.items)
    with nullcontext(folder / "lab") if large else in_memory(folder) as place:
        maker = LabMaker(place)
        with maker.inherited():
            try:
                yield maker
            finally:
                maker.close()


@pytest.fixture(scope="session")
def release() -> Path:
    """The release files that manifests name: a stand-in for RKE2."""
    return stand_in(DEFAULT_VERSION)


@pytest.fixture(scope="session")
def real_release(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Release files of real Kubernetes, by distro (kubeadm, vanilla). Built unless the cache has them.

    A disk on which kubelets would begin to remove images and pods fails the tests before they begin.
    """
    try:
        require_root()
        refuse_unfit()
    except UnfitError as reason:
        pytest.skip(reason.problem)
    release = build_real_release(cache_folder(os.environ, Path.home()), print)
    refuse_full_disk(tmp_path_factory.getbasetemp())
    return {"kubeadm": release.kubeadm, "vanilla": release.vanilla}
