"""What an action of the node table makes of troubles that are not the node's."""

from __future__ import annotations

import pytest
import trio

from machines import ActionError, Context
from mk8s.binding import own_troubles
from mk8s.errors import Mk8sError
from tests.mk8s.examples import node


async def keep(_context: Context) -> None:
    raise Mk8sError("/state/transcript.jsonl cannot be written: disk full", remedy="free some space")


def test_a_full_disk_here_is_neither_a_bug_nor_the_nodes() -> None:
    """It fails the edge with its own words; what the node did meanwhile is not known."""
    with pytest.raises(ActionError) as refused:
        trio.run(own_troubles(keep), Context(node("a"), "stage", 1, {}))
    failure = refused.value.failure
    assert failure.lineage == ("operator",)
    assert failure.message == (
        "on the machine that mk8s runs on: /state/transcript.jsonl cannot be written: disk full"
    )
    assert (failure.remedy, failure.ambiguous, failure.final) == ("free some space", True, True)
