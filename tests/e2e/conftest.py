"""What end-to-end tests stand on: real hosts, and the stand-in release.

`lab` is skipped, with a reason, where this machine cannot have one. The first use on a machine builds
the hosts' Debian tree, so tests with a lab get ten minutes unless they say otherwise.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from mk8s.lab import UnfitError
from mk8s.lab.machine import require_root
from mk8s.lab.manifest_writer import DEFAULT_VERSION, machine_arch
from mk8s.lab.places import cache_folder
from mk8s.lab.standin_release import default_build, standin_release
from tests.e2e.labs import LabMaker

FIRST_USE = 600  # seconds


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """More time for tests that may be the first to use a lab."""
    for item in items:
        if "lab" in getattr(item, "fixturenames", ()) and not item.get_closest_marker("timeout"):
            item.add_marker(pytest.mark.timeout(FIRST_USE))


@pytest.fixture(scope="session")
def lab(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LabMaker]:
    """Makes hosts: `lab(3)`, or `lab.fresh(3)` for new ones. Always taken down."""
    try:
        require_root()
    except UnfitError as reason:
        pytest.skip(reason.problem)
    maker = LabMaker(tmp_path_factory.mktemp("lab"))
    try:
        yield maker
    finally:
        maker.close()


@pytest.fixture(scope="session")
def release() -> Path:
    """The release files that manifests name: a stand-in for RKE2."""
    return standin_release(
        cache_folder(os.environ, Path.home()), DEFAULT_VERSION, machine_arch(), lambda _: None, default_build
    )
