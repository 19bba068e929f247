"""Labs for tests: hosts with names and addresses of this test process alone, so that several can run."""

from __future__ import annotations

import os
from pathlib import Path

from mk8s.lab import Lab

__all__ = ["LabMaker"]

DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


class LabMaker:
    """`lab(3)` gives three running hosts, as earlier tests left them; `lab.fresh(3)` gives new ones.

    Either takes about two seconds. Hosts that a test killed, cut or rebooted are healed.
    """

    def __init__(self, folder: Path, process: int = os.getpid()) -> None:
        self._lab = Lab(folder, name=f"t{_short(process)}", subnet=_subnet(process))

    def __call__(self, count: int) -> Lab:
        self._lab.up(count)
        return self._lab

    def fresh(self, count: int) -> Lab:
        """New disks, new keys: nothing that an earlier test did is there."""
        self._lab.down()
        return self(count)

    def close(self) -> None:
        self._lab.down()


def _short(number: int) -> str:
    """In base 36: process numbers are long, interface names are not."""
    text = ""
    while number:
        number, digit = divmod(number, len(DIGITS))
        text = DIGITS[digit] + text
    return text


def _subnet(process: int) -> str:
    """A network of its own for each of 32768 process numbers that follow each other."""
    return f"10.{100 + (process >> 8) % 128}.{process % 256}.0/24"
