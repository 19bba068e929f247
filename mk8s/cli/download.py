"""Fetch every file of the release into the manifest's artifacts_dir, and verify it.

What is here already is not fetched again; what was cut off goes on where it stopped, also after kill -9.
Upstream's hashes are held against every file; where nobody publishes one, the first download's is kept in
mk8s-hashes.txt. Files are shared by clusters through a cache, ~/.cache/mk8s ($XDG_CACHE_HOME/mk8s).
Proxies are taken from HTTPS_PROXY, HTTP_PROXY and NO_PROXY, logins from ~/.netrc, your own authorities
from SSL_CERT_FILE; other places than upstream's from the manifest's `mirrors` and `artifacts.<id>.url`.

Exit status 0 when all is here and whole; 1 when the network failed, so that trying again may help; 2 when
a file is not where the manifest or upstream say, or is another one.

Examples:
  mk8s download cluster.yaml
  mk8s download cluster.yaml --to /media/usb/release --jobs 2
"""

from __future__ import annotations

from argparse import ArgumentParser, ArgumentTypeError, Namespace
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from mk8s.cli.common import add_manifest, add_output, say

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from mk8s.artifacts.outcomes import Outcome, Verdict
    from mk8s.artifacts.progress import Show
    from mk8s.project import Listing

__all__ = ["add_arguments", "main"]

MOST_JOBS = 32
YAML = (".yaml", ".yml", ".json")


def add_arguments(parser: ArgumentParser) -> None:
    add_manifest(parser)
    add_output(parser, "text", "json")
    parser.add_argument(
        "--to", type=Path, metavar="DIR", help="another folder than the manifest's artifacts_dir"
    )
    parser.add_argument(
        "--jobs", type=jobs, default=4, metavar="N", help="files at the same time (default: 4)"
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="neither take files from the shared cache nor keep them there"
    )


def jobs(text: str) -> int:
    """How many files at once, from the command line."""
    if not text.isdecimal() or not 1 <= int(text) <= MOST_JOBS:
        raise ArgumentTypeError(f"{text!r} is not a number from 1 to {MOST_JOBS}")
    return int(text)


def main(args: Namespace) -> int:
    from dataclasses import replace

    from mk8s.artifacts.obtaining import How, download_release
    from mk8s.artifacts.progress import choose_show
    from mk8s.errors import Mk8sError
    from mk8s.project import load_listing

    _refuse_folder(args.manifest)
    listing = load_listing(args.manifest)
    for notice in listing.notices:
        say(notice)
    cluster = replace(listing.cluster, artifacts_dir=args.to) if args.to else listing.cluster
    show = choose_show(args.output)
    try:
        with _told_what_is_kept(show):
            outcomes = download_release(cluster, listing.catalogue, show, How(args.jobs, not args.no_cache))
    except Mk8sError as error:
        _end(show, int(error.exit_code))
        raise
    finally:
        show.close()
    _end(show, 0)
    say(_words(outcomes, cluster.artifacts_dir))
    say(_next(listing, cluster.artifacts_dir))
    return 0


@contextmanager
def _told_what_is_kept(show: Show) -> Iterator[None]:
    """After Ctrl-C, which may come in a group of what was running."""
    try:
        yield
    except* KeyboardInterrupt:
        show.say("what was fetched is kept; the same command goes on with the rest")
        raise


def _next(listing: Listing, folder: Path) -> str:
    usual = listing.cluster.artifacts_dir
    if folder.resolve() != usual.resolve():
        return f"Next: name {folder} as artifacts_dir in {listing.manifest}, or carry its files into {usual}"
    return f"Next: mk8s bundle create {listing.words()} (to carry it), or mk8s run {listing.words()}"


def _refuse_folder(path: Path) -> None:
    """The original's `download PATH` took the folder to fill. Raises UsageError."""
    from mk8s.errors import UsageError

    if path.is_dir() or (not path.exists() and path.suffix not in YAML):
        raise UsageError(
            f"{path} is no manifest",
            cause="what is downloaded is what the cluster of a manifest needs",
            remedy=f"mk8s download cluster.yaml --to {path}",
        )


def _end(show: Show, code: int) -> None:
    """For programs, the last event."""
    from mk8s.artifacts.progress import JsonShow

    if isinstance(show, JsonShow):
        show.event("result", code=code)


def _words(outcomes: Sequence[Outcome], folder: Path) -> str:
    from collections import Counter

    from mk8s.amounts import bytes_in_words

    counted = Counter(outcome.verdict for outcome in outcomes)
    texts: dict[Verdict, str] = {
        "fetched": "fetched",
        "made": "put together",
        "cached": "out of the cache",
        "here": "here already",
    }
    parts = [f"{counted[verdict]} {text}" for verdict, text in texts.items() if counted[verdict]]
    size = bytes_in_words(sum(outcome.size for outcome in outcomes))
    return f"{len(outcomes)} files, {size}, in {folder}: {', '.join(parts)}"
