"""Places in a manifest where a secret belongs that did not travel with it. Pure.

A bundle carries the manifest with `PLACEHOLDER` in place of every secret. Until somebody has written the
secrets there, the manifest is refused, each place with its line: a word that anybody can look up must
never become a cluster's token.

Begin reading at `no_blanks`.
"""

from __future__ import annotations

from collections.abc import Iterator

from machines.documents import Document, Path, Value, parse_document, show_path
from machines.errors import DocumentError, Fault
from mk8s.manifest.source import Source

__all__ = ["PLACEHOLDER", "no_blanks"]

PLACEHOLDER = "SECRET-TO-FILL-IN"

_MESSAGE = "the secret is missing: manifests travel in bundles without their secrets"
_HINT = f"write it in place of {PLACEHOLDER}; it is the one that the manifest had before it was bundled"


def no_blanks(source: Source) -> Iterator[Fault]:
    """Every value that still is the placeholder, with the place in this file."""
    for path, text in _texts(source.document.value, ()):
        if PLACEHOLDER in text:
            yield from _faults(source, path, text)


def _faults(source: Source, path: Path, text: str) -> Iterator[Fault]:
    file, place, shown = source.document.file, source.document.mark(path), show_path(path)
    settings = _settings(text)
    if settings is None:
        yield Fault(file, *place, shown, _MESSAGE, _HINT)
        return
    above, indent = source.block(path, text) or (0, 0)
    for inner, value in _texts(settings.value, ()):
        if PLACEHOLDER in value:
            line, column = settings.mark(inner)
            where = (above + line, indent + column) if above else place
            yield Fault(file, *where, f"{shown}.{show_path(inner)}", _MESSAGE, _HINT)


def _settings(text: str) -> Document | None:
    """A config that stands as text inside the manifest. None: an ordinary value."""
    try:
        found = parse_document(text, "", max_bytes=len(text) * 4 + 1)
    except DocumentError:
        return None
    return found if isinstance(found.value, dict) else None


def _texts(value: Value, path: Path) -> Iterator[tuple[Path, str]]:
    if isinstance(value, str):
        yield path, value
    elif isinstance(value, dict):
        for key, part in value.items():
            yield from _texts(part, (*path, key))
    elif isinstance(value, list):
        for place, part in enumerate(value):
            yield from _texts(part, (*path, place))
