"""Carry a cluster's whole release over an air gap in one file: release files, manifest, and mk8s itself.

The manifest in it has no secrets: fill them in where the bundle is unpacked. A bundle is an ordinary tar
file; the README in it says how to check and unpack it without mk8s. docs/bundle.md says more.

Examples:
  mk8s bundle create cluster.yaml --sign ~/.ssh/id_ed25519
  mk8s bundle verify prod-v1.33.4+rke2r1.mk8s.tar --require-signature
  mk8s bundle unpack prod-v1.33.4+rke2r1.mk8s.tar prod
  mk8s bundle split prod-v1.33.4+rke2r1.mk8s.tar --size 4GB --to /media/stick
  mk8s bundle diff OLD NEW --output-bundle delta.mk8s.tar
"""

from __future__ import annotations

import json
import os
import re
import shlex
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from mk8s.cli.common import add_manifest, add_output, say

if TYPE_CHECKING:
    from argparse import _SubParsersAction

    from mk8s.bundle.head import Head
    from mk8s.bundle.signing import Signed

__all__ = ["add_arguments", "main"]

SIZE = re.compile(r"(?P<count>[0-9]+(\.[0-9]+)?)(?P<unit>[kKMGT]i?)B")
POWERS = {"k": 1, "K": 1, "M": 2, "G": 3, "T": 4}
BUNDLE = "a bundle, or one of its chunks"


def add_arguments(parser: ArgumentParser) -> None:
    verbs = parser.add_subparsers(required=True, metavar="create|verify|inspect|unpack|split|join|diff")
    _add_create(verbs)
    _add_verify(verbs)
    _add_unpack(verbs)
    _add_chunks(verbs)
    inspect = _verb(verbs, "inspect", _inspect, "print what is in it, and what the hosts must have")
    inspect.add_argument("file", type=Path, help=BUNDLE)
    add_output(inspect, "text", "json")
    diff = _verb(verbs, "diff", _diff, "print what differs between two bundles, or write only that")
    diff.add_argument("old", type=Path, help="the bundle that is there already")
    diff.add_argument("new", type=Path, help="the bundle that should be there")
    diff.add_argument(
        "--output-bundle", type=Path, metavar="DELTA", help="write what NEW has and OLD has not"
    )
    add_output(diff, "text", "json")


def main(args: Namespace) -> int:
    return int(args.handler(args))


def _verb(
    verbs: _SubParsersAction[ArgumentParser], name: str, handler: Callable[[Namespace], int], words: str
) -> ArgumentParser:
    parser = verbs.add_parser(name, help=words, description=f"{words[0].upper()}{words[1:]}.")
    parser.set_defaults(handler=handler)
    return parser


def _add_create(verbs: _SubParsersAction[ArgumentParser]) -> None:
    create = _verb(verbs, "create", _create, "make a bundle of a manifest and its release files")
    add_manifest(create)
    create.add_argument("-o", type=Path, metavar="FILE", help="default: NAME-VERSION.mk8s.tar, here")
    create.add_argument(
        "--sign", type=Path, metavar="KEY", help="private key file, or the .pub of an agent's key"
    )
    create.add_argument(
        "--wheels", type=Path, metavar="DIR", help="mk8s' libraries as wheels, for another Python or machine"
    )
    create.add_argument("--without-mk8s", action="store_true", help="leave mk8s itself out")


def _add_verify(verbs: _SubParsersAction[ArgumentParser]) -> None:
    verify = _verb(verbs, "verify", _verify, "check every byte and the signature; write nothing")
    verify.add_argument("file", type=Path, help=f"{BUNDLE}, or a folder that one was unpacked to")
    _add_trust(verify)
    add_output(verify, "text", "json")


def _add_unpack(verbs: _SubParsersAction[ArgumentParser]) -> None:
    unpack = _verb(
        verbs, "unpack", _unpack, "verify a bundle and put it into a folder; safe to repeat, resumes"
    )
    unpack.add_argument("file", type=Path, help=BUNDLE)
    unpack.add_argument("folder", type=Path, metavar="DIR")
    _add_trust(unpack)
    unpack.add_argument(
        "--replace", action="store_true", help="replace files that differ; never an edited manifest"
    )


def _add_trust(parser: ArgumentParser) -> None:
    parser.add_argument("--base", type=Path, metavar="FILE|DIR", help="what a delta builds on")
    parser.add_argument(
        "--signers", type=Path, metavar="FILE", help="who may sign; a good signature is required then"
    )
    parser.add_argument("--require-signature", action="store_true", help="refuse a bundle without a good one")


def _add_chunks(verbs: _SubParsersAction[ArgumentParser]) -> None:
    split = _verb(verbs, "split", _split, "part a bundle into chunks for media")
    split.add_argument("file", type=Path, help="a bundle")
    split.add_argument(
        "--size", type=_size, required=True, metavar="SIZE", help="of a chunk: 4GB, 700MB, 2GiB"
    )
    split.add_argument("--to", type=Path, metavar="DIR", help="default: beside the bundle")
    join = _verb(verbs, "join", _join, "put chunks together again; verifies each, resumes")
    join.add_argument("first", type=Path, metavar="FIRST", help="any of the chunks, such as NAME.001")
    join.add_argument("-o", type=Path, metavar="FILE", help="default: NAME, beside the chunks")


def _tell(words: str) -> None:
    """Say something that has words of a bundle in it, which may be anybody's."""
    from machines.words import printable

    say(printable(words))


def _size(text: str) -> int:
    """Bytes from ``4GB 700MB 2GiB``."""
    found = SIZE.fullmatch(text)
    if not found:
        raise ArgumentTypeError(f"{text!r} is not a size, such as 4GB, 700MB or 2GiB")
    step = 1024 if found["unit"].endswith("i") else 1000
    return int(float(found["count"]) * step ** POWERS[found["unit"][0]])


def _create(args: Namespace) -> int:
    from mk8s.amounts import bytes_in_words
    from mk8s.bundle.making import default_name, make_bundle, our_parts
    from mk8s.bundle.opening import refuse_other_file
    from mk8s.bundle.progress import Progress
    from mk8s.project import load_listing
    from mk8s.release import check_release

    listing = load_listing(args.manifest)
    path: Path = args.o or Path(default_name(listing))
    refuse_other_file(path)
    say(f"checking the release files in {listing.cluster.artifacts_dir}")
    release = check_release(listing.cluster, listing.catalogue)
    for name in release.unchecked:
        say(f"note: nothing says what {name} should hash to; the bundle has it as it is here")
    head = make_bundle(
        listing,
        release,
        path,
        our_parts(args.wheels),
        key=args.sign,
        with_mk8s=not args.without_mk8s,
        environment=os.environ,
        progress=lambda head: Progress("writing", head.file_size),
    )
    print(path)
    say(
        f"{path}: {len(head.index.members)} members, {bytes_in_words(head.file_size)}, "
        f"{'signed' if head.signature else 'not signed'}; identity {head.digest[:12]}…"
    )
    say(f"Next: mk8s bundle verify {shlex.quote(str(path))}")
    return 0


def _verify(args: Namespace) -> int:
    from mk8s.bundle.signing import words_for_hand_check

    head, signed = (_verified_folder if args.file.is_dir() else _verified_file)(args)
    if args.output == "json":
        print(json.dumps(_verdict(args.file, head, signed), indent=1))
    else:
        print(f"{args.file}: every byte is as its index says; {signed.words}")
    if head.note and not args.base:
        _tell(f"a delta: it needs the bundle of {head.note.base_version} as --base ({head.note.base[:12]}…)")
    if head.signature:
        _tell("the signature without mk8s:\n" + words_for_hand_check(args.file, signed.who, _signers(args)))
    return 0


def _verified_file(args: Namespace) -> tuple[Head, Signed]:
    from mk8s.bundle.bases import open_base
    from mk8s.bundle.opening import opened
    from mk8s.bundle.unpacking import verify_base

    with opened(args.file, "verifying") as reader:
        signed = _trusted(reader.head, args)
        reader.verify()
        if args.base:
            verify_base(reader.head, open_base(args.base), args.file.name)
    return reader.head, signed


def _verified_folder(args: Namespace) -> tuple[Head, Signed]:
    from mk8s.bundle.folders import read_folder, verify_folder

    head = read_folder(args.file)
    signed = _trusted(head, args)
    verify_folder(args.file, head)
    return head, signed


def _unpack(args: Namespace) -> int:
    from mk8s.bundle.bases import open_base
    from mk8s.bundle.folders import strangers
    from mk8s.bundle.opening import opened
    from mk8s.bundle.unpacking import unpack

    with opened(args.file, "unpacking") as reader:
        signed = _trusted(reader.head, args)
        done = unpack(
            reader, args.folder, base=open_base(args.base) if args.base else None, replace=args.replace
        )
    print(args.folder)
    say(f"{args.folder}: {done.written} files written, {done.kept} were there already; {signed.words}")
    if done.manifest_beside:
        say(
            "cluster.yaml there differs and stays: take over what is new in cluster.yaml.new, the version too"
        )
    added = strangers(args.folder, reader.head)
    if added:
        _tell(
            f"not of this bundle, and it would be run: {', '.join(added[:3])}; {len(added)} in all: remove it"
        )
    _say_next(args.folder, reader.head)
    return 0


def _say_next(folder: Path, head: Head) -> None:
    manifest = folder / "cluster.yaml"
    missing = _missing_in(manifest)
    if missing:
        _tell(f"fill in what did not travel, in {manifest}: {', '.join(missing)}")
    program = "./mk8s/mk8s" if head.index.entry("mk8s/mk8s") else "mk8s"
    say(f"Next: cd {shlex.quote(str(folder))} && {program} preflight cluster.yaml")


def _missing_in(manifest: Path) -> tuple[str, ...]:
    """Secrets that wait to be filled in. A manifest that is none is told by whatever uses it next."""
    from machines.errors import DocumentError
    from mk8s.bundle.template import blanks

    try:
        return blanks(manifest.read_bytes())
    except (OSError, DocumentError):
        return ()


def _inspect(args: Namespace) -> int:
    from machines.words import printable
    from mk8s.bundle.describing import as_data, as_text
    from mk8s.bundle.opening import read_head

    head = read_head(args.file)
    print(json.dumps(as_data(head), indent=1) if args.output == "json" else printable(as_text(head)))
    say("only the index was read: `mk8s bundle verify` checks the rest")
    return 0


def _split(args: Namespace) -> int:
    from mk8s.bundle.opening import read_head
    from mk8s.bundle.progress import Progress
    from mk8s.bundle.splitting import split

    read_head(args.file)
    with Progress("splitting", args.file.stat().st_size) as progress:
        paths = split(args.file, args.size, args.to or args.file.parent, spent=progress)
    print("\n".join(map(str, paths)))
    say(f"carry all {len(paths)} files; there: mk8s bundle join {shlex.quote(paths[0].name)}")
    return 0


def _join(args: Namespace) -> int:
    from mk8s.bundle.opening import refuse_other_file
    from mk8s.bundle.progress import Progress
    from mk8s.bundle.splitting import join, whole_of

    path, size = whole_of(args.first)
    path = args.o or path
    refuse_other_file(path)
    with Progress("joining", size) as progress:
        join(args.first, path, spent=progress)
    print(path)
    say(f"Next: mk8s bundle verify {shlex.quote(str(path))}")
    return 0


def _diff(args: Namespace) -> int:
    from machines.words import printable
    from mk8s.bundle.delta import as_data, as_text, compare, delta_head, write_delta
    from mk8s.bundle.opening import opened, read_head, refuse_other_file

    old, new = read_head(args.old), read_head(args.new)
    found = compare(old, new)
    if args.output_bundle:
        refuse_other_file(args.output_bundle)
        with opened(args.new, "writing the delta") as reader:
            write_delta(args.output_bundle, delta_head(old, reader.head), reader)
    if args.output == "json":
        print(json.dumps(as_data(old, new, found), indent=1))
    else:
        print(printable(as_text(old, new, found)))
    if args.output_bundle:
        delta = shlex.quote(str(args.output_bundle))
        say(f"Next: mk8s bundle unpack {delta} DIR --base {shlex.quote(str(args.old))}")
    return 0


def _trusted(head: Head, args: Namespace) -> Signed:
    """What the signature is worth, refused here already where it is not enough."""
    from mk8s.bundle.signing import check_signature, refuse_signature

    signers = _signers(args)
    signed = check_signature(head.content, head.signature, signers)
    required = args.require_signature or args.signers is not None
    refuse_signature(signed, args.file.name, signers, required=required)
    return signed


def _signers(args: Namespace) -> Path:
    """The file of those who may sign: named, or the user's own. Raises UsageError where no such file is."""
    if args.signers is not None:
        if not args.signers.exists():
            from mk8s.errors import UsageError

            remedy = "name a file with a line for each who may sign: NAME@PLACE and the public key"
            raise UsageError(f"the signers file {args.signers} is not there", remedy=remedy)
        return Path(args.signers)
    home = os.environ.get("XDG_CONFIG_HOME") or os.path.expanduser("~/.config")  # noqa: PTH111  never raises
    return Path(home) / "mk8s" / "allowed_signers"


def _verdict(file: Path, head: Head, signed: Signed) -> dict[str, Any]:
    index = head.index
    return {
        "file": str(file),
        "sha256": head.digest,
        "cluster": index.cluster,
        "distro": index.distro,
        "version": index.version,
        "members": len(head.carried),
        "delta_of": head.note.base if head.note else None,
        "signature": {"state": signed.state, "who": signed.who, "key": signed.key},
    }
