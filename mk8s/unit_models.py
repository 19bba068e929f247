"""Models of the commands in `mk8s.units`, for simulation alone. A test runs model and script side by side."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import PurePosixPath

from mk8s.model_answers import NO, YES, says
from mk8s.paces import LOOK
from mk8s.units import ANSWER, JOURNAL, LINES_OF_JOURNAL, RECORDS
from transports.base import Command, Outcome
from transports.simulated import Handler, SimulatedHost, SimulatedService, Span, path_of

__all__ = ["UNIT_DURATIONS", "UNIT_HANDLERS", "answer_with_state", "ask", "note_start"]


def answer_with_state(host: SimulatedHost, command: Command, answer: Outcome) -> Outcome:
    """What `units.ask_unit_and` prints: the unit's state, and then the program's own answer."""
    state = ask(host, command).stdout
    return Outcome(
        status=answer.status, stdout=state + f"{ANSWER}\n".encode() + answer.stdout, stderr=answer.stderr
    )


def ask(host: SimulatedHost, command: Command) -> Outcome:
    """What `units.ask_unit` prints."""
    unit = command.args[0]
    service = host.service(unit)
    if service is None:
        return NOT_FOUND
    said = None if service.state == "active" else _said_since(host, unit, service.journal)
    return _state(service.enabled, service.state, service.sub, service.result, service.restarts, said)


def _said_since(host: SimulatedHost, unit: str, journal: Sequence[str]) -> tuple[str, ...]:
    """The last lines of the unit's journal since it was started."""
    if not journal:
        return ()
    noted = host.files.get(_since(unit))
    since = int(noted.content or b"0") if noted else 0
    return tuple(journal[since:][-LINES_OF_JOURNAL:])


@lru_cache(1 << 10)
def _state(
    enabled: bool, state: str, sub: str, result: str, restarts: int, said: tuple[str, ...] | None
) -> Outcome:
    """One answer for all hosts that give it, as often as they give it: most looks bring no news."""
    lines = [
        "LoadState=loaded",
        f"UnitFileState={'enabled' if enabled else 'disabled'}",
        f"ActiveState={state}",
        f"SubState={sub}",
        f"Result={result}",
        f"NRestarts={restarts}",
    ]
    if said is not None:
        lines += [JOURNAL, *said]
    return Outcome(status=0, stdout="".join(f"{line}\n" for line in lines).encode())


def _runs(host: SimulatedHost, command: Command) -> Outcome:
    unit, *files = command.args
    service = host.service(unit)
    if service is None or service.state not in ("active", "activating") or service.sub == "auto-restart":
        return NO
    record = _record(unit)
    noted = host.disk.read(record).decode().strip() if record in host.files else ""
    return YES if noted == _print_of(host, files) else NO


def _run(host: SimulatedHost, command: Command) -> Outcome:
    unit, *files = command.args
    host.disk.make_folder(RECORDS)
    host.daemon_reload()
    service = host.service(unit)
    if service is None:
        words = f"Failed to restart {unit}: Unit {unit} not found.\n"
        return Outcome(status=5, stderr=words.encode())
    note_start(host, service)
    service.stop()
    service.start()
    host.disk.write(_record(unit), f"{_print_of(host, files)}\n".encode())
    return YES


def _print_of(host: SimulatedHost, files: Sequence[str]) -> str:
    """Not the same number as on a real host, and different for different files all the same."""
    known = (host.files.get(path_of(path)) for path in files)
    return hashlib.sha256("\n".join(file.sha256 if file else "absent" for file in known).encode()).hexdigest()


def note_start(host: SimulatedHost, service: SimulatedService) -> None:
    """The host notes the time, the model the journal's length."""
    host.disk.make_folder(_since(service.name).parent)
    host.disk.write(_since(service.name), str(len(service.journal)).encode())


@cache
def _record(unit: str) -> PurePosixPath:
    return path_of(f"{RECORDS}/{unit}")


@cache
def _since(unit: str) -> PurePosixPath:
    return path_of(f"/run/mk8s/{unit}.since")


NOT_FOUND = says(f"LoadState=not-found\nActiveState=inactive\nSubState=dead\n{JOURNAL}")

UNIT_HANDLERS: Mapping[str, Handler] = {"unit.ask": ask, "unit.run": _run, "unit.runs": _runs}
"""Operation -> model. What `ask_unit_and` makes has its own operation, and uses `answer_with_state`."""

UNIT_DURATIONS: Mapping[str, Span] = {
    "unit.ask": LOOK,
    "unit.run": Span(0.2, 1.0),  # systemd reads all units anew, and ends the processes; order of magnitude
    "unit.runs": LOOK,
}
"""How long each takes, for `pace.declare`. What `ask_unit_and` makes says for itself."""
