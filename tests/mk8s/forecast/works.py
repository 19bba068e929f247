"""What a process beside a run does in tests, and how a run hears of it.

Each process that a test begins imports this module, at what a busy machine leaves it: so it imports no more
than the answers need, least of all pytest and the rehearsal.
"""

from __future__ import annotations

import os
import signal
import threading

from mk8s.errors import UsageError
from mk8s.forecast.beside import Answer, Asked, Foreteller, Prediction

__all__ = ["PATIENCE", "TOLD", "dies", "heard", "never_ends", "raises", "says", "tells_of_interrupts"]

TOLD = Prediction(60.0, 70.0, 80.0, "durations: 3 learnt")
PATIENCE = 100.0  # seconds for a process to begin; only one that hangs takes as many


def says(_asked: Asked) -> Answer:
    return TOLD


def raises(_asked: Asked) -> Answer:
    raise UsageError("nothing can be learnt there", remedy="name another folder")


def dies(_asked: Asked) -> Answer:
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def never_ends(_asked: Asked) -> Answer:
    threading.Event().wait()
    return "never"


def tells_of_interrupts(_asked: Asked) -> Answer:
    return str(signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, []))


def heard(foreteller: Foreteller) -> Answer | None:
    """As a run asks: again and again."""
    pause = threading.Event()
    for _ in range(int(PATIENCE / 0.01)):
        if (news := foreteller.news()) is not None:
            return news
        pause.wait(0.01)
    return None
