"""`mk8s lab`: options, exit codes and what is printed."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import pytest

from mk8s.lab import HostStatus, Lab, UnfitError
from mk8s.lab.command import add_parser, main, status_lines


def parse(*words: str) -> dict[str, object]:
    parser = ArgumentParser()
    add_parser(parser.add_subparsers())
    return vars(parser.parse_args(["lab", *words]))


def test_every_verb_has_a_handler() -> None:
    """The program only calls it."""
    for words in (
        ["up", "3"],
        ["down"],
        ["status"],
        ["ssh", "1"],
        ["kill", "1"],
        ["cut", "1"],
        ["heal", "1"],
    ):
        assert callable(parse(*words)["handler"])


@pytest.mark.parametrize("distro", ["rke2", "kubeadm", "vanilla"])
def test_the_distro_can_be_chosen(distro: str) -> None:
    assert parse("up", "3", "--distro", distro)["distro"] == distro


def test_a_lab_is_for_the_stand_in_unless_it_is_told_otherwise() -> None:
    """Seconds, not minutes."""
    assert parse("up", "3")["distro"] == "rke2"


def test_what_follows_the_host_belongs_to_the_command_that_runs_there() -> None:
    """Its options are not ours."""
    assert parse("ssh", "-u", "dev", "2", "ls", "-u", "--json")["words"] == ["ls", "-u", "--json"]


def test_several_hosts_can_lose_power_at_once() -> None:
    assert parse("kill", "2", "3")["numbers"] == [2, 3]


def test_a_manifest_of_somebody_else_stops_up_before_anything_is_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Exit code 2, a message, no traceback."""
    theirs = tmp_path / "cluster.yaml"
    theirs.write_text("distro: rke2\n")
    assert main(["up", "3", "--manifest", str(theirs)]) == 2
    assert capsys.readouterr().err == (
        f"error: {theirs} is there already, and was not written by `mk8s lab`\n"
        "  because it may be yours\n"
        "hint: name another file with --manifest PATH\n"
    )


def test_a_name_that_cannot_be_used_is_exit_code_two(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--name", "My-Lab", "status"]) == 2
    assert "no name for a lab" in capsys.readouterr().err


def test_a_lab_object_touches_nothing(tmp_path: Path) -> None:
    """Only `up` makes something."""
    lab = Lab(tmp_path / "lab", name="x", subnet="10.1.0.0/24")
    assert lab.hosts == []
    assert not lab.folder.exists()


def test_a_host_that_is_not_there_is_told_with_those_that_are(tmp_path: Path) -> None:
    with pytest.raises(UnfitError, match="has no host 1") as caught:
        Lab(tmp_path / "lab").ssh_command(1, ["true"])
    assert caught.value.cause == "its hosts are: none"


def test_status_says_what_can_be_seen_from_outside() -> None:
    """One line a host: dead or running, cable, SSH, memory."""
    rows = [
        HostStatus(1, "node-1", "10.77.0.11", True, 4711, "up", "ok", 18 << 20, 5),
        HostStatus(2, "node-2", "10.77.0.12", False, None, "none", "-", 0, 0),
    ]
    assert [line.split() for line in status_lines(rows)] == [
        ["1", "node-1", "10.77.0.11", "running", "link", "up", "ssh", "ok", "18", "MiB", "5", "processes"],
        ["2", "node-2", "10.77.0.12", "dead", "link", "none", "ssh", "-", "0", "MiB", "0", "processes"],
    ]
