"""Starting a unit that is just coming up: with the config as it is now, and without an older complaint."""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path

import pytest

from mk8s.distros.rancher import commands
from mk8s.distros.rke2.engine import RKE2
from mk8s.units import NOW
from tests.mk8s.distros.situations import make_node
from tests.mk8s.shells import SHELLS, Sh, shell_among
from transports.base import Command

SERVER = make_node("srv-1", "primary", "10.0.0.11")
SYSTEMCTL = """\
#!/bin/sh
case "$1" in
  is-active) cat "{folder}/state" ;;
  start|restart) echo "$*" >> "{folder}/log" ;;
esac
"""


@pytest.fixture
def tools(tmp_path: Path) -> Path:
    """A folder with a systemctl that says what `state` holds, and writes down how the unit is started."""
    (tmp_path / "systemctl").write_text(SYSTEMCTL.format(folder=tmp_path))
    (tmp_path / "systemctl").chmod(0o755)
    (tmp_path / "config.yaml").write_text("token: a\n")
    return tmp_path


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, tools: Path) -> Sh:
    return shell_among(tools, request.param)


def started(sh: Sh, tools: Path, state: str) -> str:
    """How the unit is started while systemd calls it that."""
    (tools / "state").write_text(f"{state}\n")
    (tools / "log").unlink(missing_ok=True)
    script = commands.start_unit(RKE2, SERVER).script.replace("/run/mk8s", str(tools / "run"))
    command: Command = replace(
        commands.start_unit(RKE2, SERVER),
        script=script,
        args=("rke2-server.service", str(tools / "config.yaml")),
    )
    assert sh(command).ok
    return (tools / "log").read_text().split()[0]


def test_one_that_comes_up_with_another_config_is_started_anew(sh: Sh, tools: Path) -> None:
    """It would fail of what has been mended since, and be believed."""
    first = started(sh, tools, "inactive")
    (tools / "config.yaml").write_text("token: b\n")

    assert (first, started(sh, tools, "activating")) == ("start", "restart")


def test_one_that_comes_up_with_this_config_goes_on(sh: Sh, tools: Path) -> None:
    """A server in the middle of its join is not disturbed when a run is resumed."""
    started(sh, tools, "inactive")

    assert started(sh, tools, "activating") == "start"


def test_a_drop_in_is_config_too(sh: Sh, tools: Path) -> None:
    """The engine reads it with the rest."""
    started(sh, tools, "inactive")
    (tools / "config.yaml.d").mkdir()
    (tools / "config.yaml.d" / "90.yaml").write_text("debug: true\n")

    assert started(sh, tools, "activating") == "restart"


def test_one_that_nobody_noted_is_let_be(sh: Sh, tools: Path) -> None:
    """After a reboot systemd has started it itself, with the config that lies there."""
    assert started(sh, tools, "activating") == "start"


def test_one_that_runs_is_never_restarted(sh: Sh, tools: Path) -> None:
    """Changes of a healthy server's config are not rolled out behind anybody's back."""
    started(sh, tools, "inactive")
    (tools / "config.yaml").write_text("token: b\n")

    assert started(sh, tools, "active") == "start"


def test_what_is_noted_is_roots_alone_and_no_config(sh: Sh, tools: Path) -> None:
    """A hash of a file with a secret."""
    started(sh, tools, "inactive")
    noted = tools / "run" / "rke2-server.service.config"

    assert re.fullmatch(r"[0-9a-f]{64}  -\n", noted.read_text())
    assert noted.stat().st_mode & 0o077 == 0


def test_the_moment_is_noted_to_the_fraction(sh: Sh) -> None:
    """A unit that keeps failing may have failed within this very second; no %N is no fraction."""
    command = commands.start_unit(RKE2, SERVER)
    said = sh(replace(command, script=NOW, args=())).text
    plain = sh(replace(command, script="echo 1700000000.%N | " + NOW.partition("| ")[2], args=())).text

    assert re.fullmatch(r"\d{10}(\.\d+)?", said)
    assert plain == "1700000000"
