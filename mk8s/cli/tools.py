"""Small tools around releases and drivers. Connects to nothing.

  check-artifacts   is every file of the release here, and whole? A table: size, hash expected and found
  check-driver      does a distro's driver keep the rules of all drivers? On modelled hosts, in seconds

check-artifacts: exit status 0 when all required files are whole, else 2. What nobody publishes a hash of
(no-hash) counts as whole, and is told. check-driver: 0 when every rule is kept, else 1.

Examples:
  mk8s tools check-artifacts cluster.yaml
  mk8s tools check-artifacts cluster.yaml --output json
  mk8s tools check-driver k3s v1.33.4+k3s1
"""

from __future__ import annotations

import json
from argparse import ArgumentParser, Namespace

from mk8s.cli.common import add_manifest, add_output, add_verbs, say

__all__ = ["add_arguments", "main"]


def add_arguments(parser: ArgumentParser) -> None:
    tools = add_verbs(parser, "TOOL")
    check = tools.add_parser("check-artifacts", help="is every file of the release here, and whole?")
    add_manifest(check)
    add_output(check, "text", "json")
    check.set_defaults(handler=_check_artifacts)
    driver = tools.add_parser("check-driver", help="does a distro's driver keep the rules of all drivers?")
    driver.add_argument("name", metavar="NAME", help="the distro, as in a manifest's `distro`")
    driver.add_argument("version", metavar="VERSION", help="a release of it, as in a manifest's `version`")
    driver.set_defaults(handler=_check_driver)


def main(args: Namespace) -> int:
    return int(args.handler(args))


def _check_artifacts(args: Namespace) -> int:
    from machines.words import printable
    from mk8s.artifacts.checking import check_files, checked_as_data, checked_as_text
    from mk8s.errors import ExitCode
    from mk8s.project import load_listing

    listing = load_listing(args.manifest)
    checked = check_files(listing.cluster, listing.catalogue)
    if args.output == "json":
        print(json.dumps(checked_as_data(checked, listing.cluster), indent=1))
    else:
        print(printable(checked_as_text(checked)))
    bad = [file for file in checked if not file.good]
    unknown = sum(file.verdict == "no-hash" for file in checked)
    notice = f"; of {unknown} no hash is known" if unknown else ""
    whole = len(checked) - len(bad)
    say(f"{whole} of {len(checked)} files in {listing.cluster.artifacts_dir} are whole{notice}")
    if bad:
        say(f"Next: mk8s download {listing.words()}, or carry them here again")
        return int(ExitCode.MANIFEST_NEEDS_YOU)
    return 0


def _check_driver(args: Namespace) -> int:
    from machines.words import printable
    from mk8s.conformance import RULES, Subject
    from mk8s.distros.base import load_distro

    subject = Subject(load_distro(args.name), args.version)
    broken = 0
    for rule in RULES:
        found = rule.broken_by(subject)
        broken += bool(found)
        print(printable(f"{'broken' if found else 'kept':8}{rule.name}: {rule.title}"))
        for line in found:
            print(printable(f"            {line}"))
    kept = len(RULES) - broken
    say(f"{kept} of {len(RULES)} rules are kept" if broken else f"all {kept} rules are kept")
    return 1 if broken else 0
