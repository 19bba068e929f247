"""A process of its own that writes or unpacks a bundle, to be killed or starved: ``child WHAT FILE DIR AT``.

At byte AT it says so on stdout and waits for ever. With a limit on the size of files it gets EFBIG instead.
"""

from __future__ import annotations

import resource
import sys
from pathlib import Path

from mk8s.bundle.index import BundleError, Entry
from mk8s.bundle.reading import Reader
from mk8s.bundle.splitting import join
from mk8s.bundle.unpacking import unpack
from mk8s.bundle.writing import Contents, write_bundle
from tests.mk8s.bundle.making import contents, head_of


class Stops:
    """Counts bytes and stops the process at one of them."""

    def __init__(self, at: int) -> None:
        self._left = at

    def __call__(self, count: int) -> None:
        self._left -= count
        if self._left < 0:
            sys.stdout.write("here\n")
            sys.stdout.flush()
            sys.stdin.read()


def unpack_file(file: Path, folder: Path, stops: Stops) -> None:
    with file.open("rb") as stream:
        unpack(Reader(stream, file.name, spent=stops), folder)


def create_file(file: Path, stops: Stops) -> None:
    head, found = head_of(), contents()

    def parts(entry: Entry) -> list[bytes]:
        content = found[entry.path]
        return [content[at : at + 4096] for at in range(0, len(content), 4096)]

    given: Contents = ((entry, parts(entry)) for entry in head.carried)
    write_bundle(file, head, given, spent=stops)


def main(what: str, file: Path, folder: Path, at: int, limit: int = 0) -> None:
    if limit:
        resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit))
    stops = Stops(at)
    if what == "unpack":
        unpack_file(file, folder, stops)
    elif what == "create":
        create_file(file, stops)
    else:
        join(file, folder, spent=stops)


if __name__ == "__main__":
    try:
        main(sys.argv[1], Path(sys.argv[2]), Path(sys.argv[3]), *map(int, sys.argv[4:]))
    except BundleError as error:
        print(error)
        sys.exit(2)
