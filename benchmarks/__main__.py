"""`python -m benchmarks [NAMES] [--quick]`: run benchmarks one after the other, and print their tables."""

from __future__ import annotations

import argparse
import importlib
import os
import platform
import sys
import time
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from benchmarks.measuring import NotMeasuredError

NAMES = ("startup", "journal", "simulation", "ssh", "race", "push", "overhead", "rollouts", "fanout")
PACKAGES = ("trio", "anyio", "transitions", "msgspec", "ssh2-python", "asyncssh", "pyinfra", "ansible-core")


def main(words: Sequence[str] | None = None) -> int:
    """Print what was asked for. A benchmark that cannot run here says so, and the others go on."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__.split(": ", 1)[1])
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"which (all: {' '.join(NAMES)})")
    parser.add_argument("--quick", action="store_true", help="smaller and fewer: three minutes, noisy")
    args = parser.parse_args(words)
    unknown = [name for name in args.names if name not in NAMES]
    if unknown:
        parser.error(f"no benchmark is called {unknown[0]!r}; there are {', '.join(NAMES)}")
    print(about(), flush=True)
    failed = [name for name in args.names or NAMES if not shown(name, quick=args.quick)]
    return 1 if failed else 0


def shown(name: str, *, quick: bool) -> bool:
    """Run one and print its tables as they come. Whether it could be run."""
    began = time.monotonic()
    try:
        for table in importlib.import_module(f"benchmarks.{name}").run(quick):
            print("\n".join(table.lines()), flush=True)
    except (NotMeasuredError, ImportError) as problem:
        print(f"{name}: not measured: {problem}\n", file=sys.stderr, flush=True)
        return False
    print(f"({name}: {time.monotonic() - began:.0f} s)\n", file=sys.stderr, flush=True)
    return True


def about() -> str:
    """Where and with what this was measured."""
    lines = [
        f"{time.strftime('%Y-%m-%d')}, {os.cpu_count()} cores ({_processor()}), {platform.system()} "
        f"{platform.release()}, Python {platform.python_version()}, "
        f"load {os.getloadavg()[0]:.1f} at the start",
        ", ".join(f"{package} {_version(package)}" for package in PACKAGES),
    ]
    return "\n".join(lines) + "\n"


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _version(package: str) -> str:
    try:
        return version(package)
    except PackageNotFoundError:
        return "not installed"


if __name__ == "__main__":
    sys.exit(main())
