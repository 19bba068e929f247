"""What a lab asks of its machine."""

from __future__ import annotations

from pathlib import Path

import pytest

from mk8s.lab.errors import LabError, UnfitError
from mk8s.lab.machine import choose_mirror, debian_mirror, install_packages, missing_packages, require_root

TARGETS = """\
http://near.example/debian bookworm-updates main
http://near.example/debian bookworm contrib
http://near.example/debian bookworm main
http://far.example/debian bookworm main
"""

APT = """#!/bin/sh
echo "$3" >>{folder}/asked
if [ -e {folder}/locked ]; then
    echo 'E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)' >&2
    exit 100
fi
[ "$3" = update ] || [ "$6" != nothing ] || {{ echo 'E: Unable to locate package nothing' >&2; exit 100; }}
"""


def test_the_hosts_come_from_the_first_mirror_that_apt_has_for_the_suite() -> None:
    """Behind a firewall it is the only one that answers."""
    assert choose_mirror(TARGETS, "bookworm") == "http://near.example/debian"


def test_a_machine_without_that_suite_leaves_the_choice_to_the_builder() -> None:
    assert choose_mirror(TARGETS, "trixie") is None
    assert choose_mirror("", "bookworm") is None


def test_a_mirror_that_is_given_is_taken() -> None:
    assert debian_mirror("bookworm", {"MK8S_LAB_MIRROR": "file:/media/debian"}) == "file:/media/debian"


def test_missing_programs_are_named_by_package_and_once() -> None:
    """ssh and ssh-keygen are in one package."""
    assert missing_packages(lambda program: None if program.startswith("ssh") else program) == [
        "openssh-client"
    ]


def test_without_root_a_message_says_what_to_do_and_the_exit_code_is_two() -> None:
    with pytest.raises(UnfitError, match="a lab needs root") as caught:
        require_root("linux", 1000)
    assert "sudo" in caught.value.remedy
    assert caught.value.exit_code == 2


def test_elsewhere_than_on_linux_a_message_points_to_the_simulation() -> None:
    with pytest.raises(UnfitError, match="needs Linux; this is darwin") as caught:
        require_root("darwin", 0)
    assert "simulate" in caught.value.remedy


def test_root_on_linux_is_welcome() -> None:
    """Nothing is raised."""
    require_root("linux", 0)


@pytest.fixture
def apt(tmp_path: Path) -> str:
    """Says what it was asked in `asked`; while `locked` is there, another one works."""
    program = tmp_path / "apt-get"
    program.write_text(APT.format(folder=tmp_path))
    program.chmod(0o755)
    return str(program)


def test_packages_are_installed_when_another_apt_get_has_ended(apt: str, tmp_path: Path) -> None:
    """Labs that are made at once on a new machine all want the same ones; apt-get itself fails at once."""
    (tmp_path / "locked").touch()
    install_packages(["hello"], lambda _: None, apt, lambda _seconds: (tmp_path / "locked").unlink())
    assert (tmp_path / "asked").read_text().split() == ["update", "update", "install"]


def test_a_package_that_cannot_be_installed_is_not_waited_for(apt: str) -> None:
    waited: list[float] = []
    with pytest.raises(LabError, match="ended with 100") as failed:
        install_packages(["nothing"], lambda _: None, apt, waited.append)
    assert "Unable to locate package" in str(failed.value.cause)
    assert waited == []
