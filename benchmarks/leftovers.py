"""Run a program and then end what it left running: `python leftovers.py PROGRAM WORDS`.

For programs whose work goes on in processes that outlive them, as the master connections that Ansible keeps.
Such a process becomes a child of this one, so its memory is seen, and the kernel counts its CPU seconds.
Imports as little as it can: its own memory is in the figures too. Linux only.
"""

import ctypes
import os
import signal
import sys
import time

PR_SET_CHILD_SUBREAPER = 36  # linux/prctl.h
PAUSE = 0.02  # seconds between signals: ssh can miss one


def main() -> int:
    """The exit status of the program."""
    ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    _, status = os.waitpid(os.posix_spawnp(sys.argv[1], sys.argv[1:], os.environ), 0)
    while children := _children():
        for pid in children:
            os.kill(pid, signal.SIGTERM)  # a child that nobody has waited for keeps its number
        time.sleep(PAUSE)
        for pid in children:
            os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status)


def _children() -> list[int]:
    with open(f"/proc/self/task/{os.getpid()}/children") as stream:  # noqa: PTH123  # pathlib only for this
        return [int(pid) for pid in stream.read().split()]


if __name__ == "__main__":
    sys.exit(main())
