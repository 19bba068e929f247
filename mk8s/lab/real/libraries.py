"""Which shared libraries a program needs, and theirs, found in unpacked Debian packages."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from mk8s.lab.errors import LabError
from mk8s.lab.processes import run

__all__ = ["LIBRARIES", "LOADER", "closure", "find_in", "needed", "parse_needed"]

LIBRARIES = "lib/x86_64-linux-gnu"
LOADER = "lib64/ld-linux-x86-64.so.2"
PLACES = (LIBRARIES, f"usr/{LIBRARIES}", "lib64")


def closure(
    programs: Iterable[Path], needs: Callable[[Path], Sequence[str]], find: Callable[[str], Path]
) -> Mapping[str, Path]:
    """Path in the image -> file here, for all that these programs need; nothing for static ones."""
    found: dict[str, Path] = {}
    waiting = list(programs)
    while waiting:
        for name in needs(waiting.pop()):
            if name not in found:
                found[name] = find(name)
                waiting.append(found[name])
    loader = Path(LOADER).name
    found_all = found | ({loader: find(loader)} if found else {})
    return {LOADER if name == loader else f"{LIBRARIES}/{name}": path for name, path in found_all.items()}


def find_in(roots: Sequence[Path]) -> Callable[[str], Path]:
    """A search for libraries by name under unpacked packages; it raises LabError for one that is in none."""

    def find(name: str) -> Path:
        for path in (root / place / name for root in roots for place in PLACES):
            if path.exists():
                return path.resolve()
        raise LabError(f"the library {name} is in none of {', '.join(root.name for root in roots)}")

    return find


def needed(program: Path) -> Sequence[str]:
    """The names of the libraries that a program or library asks for itself."""
    return parse_needed(run(["objdump", "-p", program]).stdout)


def parse_needed(dump: str) -> Sequence[str]:
    """The NEEDED lines of `objdump -p`."""
    lines = (line.split() for line in dump.splitlines())
    return [words[1] for words in lines if len(words) == 2 and words[0] == "NEEDED"]
