"""mk8s.units: what is started anew and what is left alone, in real shells and in the model."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path, PurePosixPath

import pytest

from machines.simulation import run_simulated
from mk8s.last_words import MARK
from mk8s.problems import load_catalogue
from mk8s.steps import Verdict
from mk8s.unit_models import UNIT_HANDLERS
from mk8s.units import (
    ANSWER,
    JOURNAL,
    RECORDS,
    answers,
    ask_unit,
    ask_unit_and,
    is_active,
    run_unit,
    unit_runs,
)
from tests.mk8s.distros.situations import outcome
from tests.mk8s.shells import SHELLS, Sh, shell_among
from transports.base import Command, Outcome
from transports.simulated import SimulatedHost

KNOWN = load_catalogue("vanilla")
UNIT = "kubelet.service"

SYSTEMCTL = """\
#!/bin/sh
here=${0%/*}
echo "$*" >>"$here/log"
case "$1 $3" in
  "show ActiveState") echo "ActiveState=$(cat "$here/state")";;
  "show SubState") echo "SubState=$(cat "$here/sub")";;
  "restart "*) echo active >"$here/state"; echo running >"$here/sub";;
  "show "*) printf 'LoadState=loaded\\nActiveState=%s\\n' "$(cat "$here/state")";;
  "is-active "*) [ "$(cat "$here/state")" = active ];;
esac
"""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    for name, text in {"systemctl": SYSTEMCTL, "journalctl": "#!/bin/sh\necho its last words\n"}.items():
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    (tmp_path / "state").write_text("inactive\n")
    (tmp_path / "sub").write_text("dead\n")
    (tmp_path / "config").write_text("one")
    return tmp_path


@pytest.fixture(params=SHELLS)
def sh(request: pytest.FixtureRequest, place: Path) -> Sh:
    shell = shell_among(place, request.param)

    def run(command: Command) -> Outcome:
        script = command.script.replace(str(RECORDS), str(place / "records"))
        return shell(replace(command, script=script.replace("/run/mk8s", str(place / "run"))))

    return run


def both(place: Path) -> tuple[Command, Command]:
    files = [PurePosixPath(place / "config"), PurePosixPath(place / "program")]
    return run_unit(UNIT, files), unit_runs(UNIT, files)


def test_a_unit_that_runs_with_its_files_is_recognised(sh: Sh, place: Path) -> None:
    """Before it was started it is not, afterwards it is."""
    run, check = both(place)

    assert sh(check).status == 1
    assert sh(run).status == 0
    assert sh(check).status == 0


@pytest.mark.parametrize("name", ["config", "program"])
def test_a_changed_file_is_seen(sh: Sh, place: Path, name: str) -> None:
    """Small ones by content, and one that was not there before."""
    run, check = both(place)
    sh(run)

    (place / name).write_text("two")

    assert sh(check).status == 1


def test_a_program_that_was_replaced_is_seen(sh: Sh, place: Path) -> None:
    """Large ones by their inode: they are only ever replaced as a whole."""
    (place / "program").write_bytes(bytes(1 << 20))
    run, check = both(place)
    sh(run)
    assert sh(check).status == 0

    (place / "new").write_bytes(bytes(1 << 20))
    (place / "new").replace(place / "program")

    assert sh(check).status == 1


@pytest.mark.parametrize(
    ("state", "sub"), [("failed", "failed"), ("inactive", "dead"), ("activating", "auto-restart")]
)
def test_a_unit_that_does_not_run_is_started_with_the_same_files_too(
    sh: Sh, place: Path, state: str, sub: str
) -> None:
    """One between two failures as well: its counter of restarts begins anew with it."""
    run, check = both(place)
    sh(run)

    (place / "state").write_text(f"{state}\n")
    (place / "sub").write_text(f"{sub}\n")

    assert sh(check).status == 1


def test_a_unit_that_comes_up_is_left_alone(sh: Sh, place: Path) -> None:
    """etcd does so until it has its quorum."""
    run, check = both(place)
    sh(run)

    (place / "state").write_text("activating\n")
    (place / "sub").write_text("start\n")

    assert sh(check).status == 0


def test_an_inactive_unit_is_asked_for_its_last_words(sh: Sh, place: Path) -> None:
    assert sh(ask_unit(UNIT)).text.endswith(f"{JOURNAL}\nits last words")


def test_the_status_is_that_of_the_program_that_asks(sh: Sh, place: Path) -> None:
    (place / "state").write_text("active\n")

    asked = sh(ask_unit_and("test.ask", "ask", UNIT, "sh", "-c", "echo well; exit 3"))

    assert asked.status == 3
    assert asked.text.endswith(f"{ANSWER}\nwell")


def test_the_model_leaves_alone_what_the_script_leaves_alone() -> None:
    """The same story: not started, started, changed."""
    host = SimulatedHost("n1", "10.0.0.1")
    config = PurePosixPath("/etc/config")
    host.disk.write(PurePosixPath("/etc/systemd/system") / UNIT, b"[Service]\n")
    host.disk.write(config, b"one")
    host.use(UNIT_HANDLERS)
    seen: list[int] = []

    async def main() -> None:
        for content in (b"one", b"two"):
            host.disk.write(config, content)
            seen.append((await host.perform(unit_runs(UNIT, [config]))).status)
            await host.perform(run_unit(UNIT, [config]))
            seen.append((await host.perform(unit_runs(UNIT, [config]))).status)

    run_simulated(main, seed=0)
    assert seen == [1, 0, 1, 0]
    unit = host.service(UNIT)
    assert unit is not None
    assert unit.starts == 2


def said(state: str, *journal: str, answer: str = "", restarts: int = 0) -> Outcome:
    lines = [f"ActiveState={state}", "SubState=x", f"NRestarts={restarts}", "UnitFileState=disabled"]
    lines += [JOURNAL, *journal] if state != "active" else []
    return outcome("\n".join([*lines, ANSWER, answer]) + "\n")


def test_systemds_own_lines_are_no_reason() -> None:
    """They say that it failed; the line before says why."""
    asked = said(
        "activating", "bad flag", "kubelet.service: Failed with result 'exit-code'.", "Stopped kubelet."
    )

    assert is_active(KNOWN)(asked).reason == "activating (x): bad flag"


def test_a_unit_that_keeps_failing_ends_the_wait() -> None:
    for judge in (is_active(KNOWN), answers(KNOWN)):
        verdict = judge(said("activating", "something else", restarts=4))
        assert verdict.lineage == ("unit.failed", "unit")
        assert "something else" in verdict.reason


def test_known_words_end_the_wait_at_once_where_they_are_final() -> None:
    verdict = is_active(KNOWN)(said("activating", "Error: unknown flag: --audit-log-maxxage"))

    assert verdict.lineage == ("config.flag", "config")
    assert verdict.final


def test_what_else_the_unit_said_stands_behind_what_was_recognised() -> None:
    """The line that was recognised is in the message; it is not said twice. Secrets are in neither."""
    journal = (
        "Error: unknown flag: --x",
        "E0301 08:00:00.1 7 a.go:1] token=p4ssw0rd is odd",
        "Stopped kubelet.",
    )

    verdict = is_active(KNOWN)(said("activating", *journal))

    head, *evidence = verdict.reason.split(MARK)
    assert head == "this release does not know one of its flags: Error: unknown flag: --x"
    assert evidence == ["error: token=*** is odd"]


def test_a_unit_that_fails_for_an_unknown_reason_gives_its_last_words() -> None:
    verdict = is_active(KNOWN)(said("failed", "one", "panic: two", "three"))

    assert verdict.reason == f"the unit keeps failing, failed (x): panic: two{MARK}one{MARK}three"


def test_an_unknown_last_word_after_a_trouble_that_may_pass_is_the_reason() -> None:
    """A refused connection is said at every start; what ended the program comes after it."""
    passing = "curl: (7) Failed to connect to 10.0.0.11 port 6443"

    later = is_active(KNOWN)(said("failed", passing, "panic: of its own"))
    before = is_active(KNOWN)(said("failed", "panic: of its own", passing))

    assert later.lineage == ("unit.failed", "unit")
    assert "panic: of its own" in later.reason.split(MARK)[0]
    assert before.lineage == ("connection.server", "connection")


def test_an_answer_that_no_waiting_mends_ends_the_wait() -> None:
    """And one that may change by itself does not."""
    asked = replace(said("active"), status=1)

    assert answers(KNOWN)(replace(asked, stderr=b"write /x: no space left on device\n")).final
    assert not answers(KNOWN)(replace(asked, stderr=b"error: Unauthorized\n")).lineage


def test_a_unit_that_is_active_only_until_the_next_boot_is_not_enough() -> None:
    assert is_active(KNOWN)(said("active")).met
    assert not is_active(KNOWN, enabled=True)(said("active")).met


@pytest.mark.parametrize(
    ("word", "answer", "met"),
    [
        ("", '{"lastUpdated": "x"}', True),
        ("ok", "ok", True),
        ("passed", "[+]ping ok\npassed", True),
        ("ok", "no", False),
    ],
)
def test_an_answer_is_any_one_or_holds_its_line(word: str, answer: str, met: bool) -> None:
    assert answers(KNOWN, word)(said("active", answer=answer)).met == met


def test_a_failed_answer_is_none() -> None:
    verdict = answers(KNOWN)(replace(said("active"), status=1, stderr=b"connection refused\n"))

    assert verdict == Verdict(False, "active (x); connection refused")


def test_a_unit_that_is_not_installed_is_waited_for_by_nobody() -> None:
    assert is_active(KNOWN)(outcome("LoadState=not-found\nActiveState=inactive\n")).final
