"""What is said when an attempt is cut off: what it was doing, and what went wrong before."""

from __future__ import annotations

import trio

from machines.errors import ActionError, Failure
from machines.registry import Context, Evidence
from machines.spec import Retry
from tests.machines.groups import people, registry, run, with_edge

TEN_SECONDS_APART = [Retry(match=["*"], delay=10, backoff=1, jitter="none")]


async def knock(context: Context) -> Evidence | None:
    """Says what it does; nobody ever opens."""
    context.note("packing")
    context.note("knocking at the door")
    return await trio.sleep_forever()


async def slip_then_knock(context: Context) -> Evidence | None:
    """Fails at once the first time, then never ends."""
    if context.attempt == 1:
        raise ActionError("exit.1", "exit", message="slipped on the stairs", remedy="hold on")
    return await knock(context)


def test_an_attempt_that_is_cut_off_says_what_it_was_doing() -> None:
    """Its own last note: "no end after 50 s" alone helps nobody."""
    done = run(people(0), registry(build=knock), with_edge("build", timeout=50.0, deadline=None, retry=[]))
    assert done.result.failures["lead"].failure.message == "no end after 50 s, while: knocking at the door"


def test_an_attempt_that_the_deadline_cuts_off_tells_the_one_before_it() -> None:
    """What went wrong before is often the reason why there was no time left."""
    spec = with_edge("build", timeout=50.0, deadline=30.0, retry=TEN_SECONDS_APART)
    done = run(people(0), registry(build=slip_then_knock), spec)
    failure = done.result.failures["lead"].failure
    assert failure.remedy == "hold on"
    assert failure.message == (
        "no end after 20 s, while: knocking at the door; the deadline of 30 s leaves no time to try again; "
        "the attempt before: slipped on the stairs"
    )


def test_an_undo_that_is_cut_off_says_so_too() -> None:
    """Undos are bounded and told like attempts."""
    failing = registry(join=refuse_the_join, leave=knock)  # `leave` is the undo of `join`
    done = run(people(0), failing, with_edge("lead", retry=[]))
    (undone,) = [record for record in done.records if record.kind == "undone" and record.undo == "leave"]
    assert undone.failure == Failure(
        ("timeout",), "no end after 100 s, while: knocking at the door", ambiguous=True
    )


async def refuse_the_join(_context: Context) -> Evidence | None:
    raise ActionError("join.rejected", message="not today")
