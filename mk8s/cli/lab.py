"""Real throw-away Linux hosts on this machine: own systemd, own SSH server, own address.

Needs root on Linux. `mk8s lab up 6` makes six and writes a manifest for them; docs/lab.md says more.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    from mk8s.lab.command import add_arguments as add_lab_arguments

    add_lab_arguments(parser)


def main(args: Namespace) -> int:
    return int(args.handler(args))
