"""What verbs that predict share: where durations come from, on the command line and in the manifest.

Layers, each over the one before: what models declare, what `--learn` measured in earlier runs, the file of
`--profile`, the manifest's `simulation:`. Begin reading at `profile_of`.
"""

from __future__ import annotations

from argparse import ArgumentParser, Namespace
from pathlib import Path
from typing import TYPE_CHECKING

from mk8s.cli.common import number

if TYPE_CHECKING:
    from mk8s.forecast.profile import Profile
    from mk8s.forecast.sources import Sources
    from mk8s.project import Project

__all__ = ["add_forecasting", "add_sources", "add_uplink", "profile_of", "sources_of", "uplink_of"]

MEGABYTE = 1_000_000
OWN = Path()  # of --learn without a folder: this cluster's own runs


def add_sources(parser: ArgumentParser) -> None:
    """--learn and --profile; `sources_of` reads them."""
    parser.add_argument(
        "--learn",
        nargs="?",
        const=OWN,
        action="append",
        type=Path,
        metavar="DIR",
        help="take durations from the earlier run in this state folder (default: this cluster's own); "
        "may be repeated",
    )
    parser.add_argument("--profile", type=Path, metavar="FILE", help="take durations from this file")


def add_forecasting(parser: ArgumentParser) -> None:
    """The same and --save-profile; `profile_of` reads them."""
    add_sources(parser)
    parser.add_argument(
        "--save-profile", type=Path, metavar="FILE", help="write all durations that are used to this file"
    )


def add_uplink(parser: ArgumentParser, words: str) -> None:
    """--uplink; `uplink_of` reads it."""
    parser.add_argument("--uplink", type=number("a rate above 0", above=0), metavar="MB/S", help=words)


def uplink_of(args: Namespace) -> float | None:
    """Bytes per second; None where nothing was said."""
    return args.uplink * MEGABYTE if args.uplink else None


def sources_of(args: Namespace, project: Project) -> Sources:
    """What the command line names, with this cluster's own folder where --learn names none."""
    from mk8s.forecast.sources import Sources

    folders = args.learn or ()
    own = project.past_state(getattr(args, "state", None)).folder if folders else OWN
    return Sources(tuple(own if folder == OWN else folder for folder in folders), args.profile)


def profile_of(args: Namespace, project: Project) -> Profile:
    """How long things take, by all that the command line and the manifest say.

    Raises UsageError for a profile that cannot be read or written, Mk8sError for a run that cannot be learnt
    from.
    """
    from dataclasses import replace

    from mk8s.forecast.files import profile_text
    from mk8s.forecast.given import declared_in
    from mk8s.forecast.profile import DEFAULTS
    from mk8s.forecast.sources import profile_from
    from mk8s.report.files import write_whole

    profile = profile_from(sources_of(args, project), project.cluster)
    if args.save_profile:
        ground = DEFAULTS.under(declared_in(project.cluster, project.distro))
        whole = replace(ground.under(profile.as_layer()), source=profile.source)
        text = profile_text(whole.as_layer()).encode()
        write_whole(args.save_profile, text, manifest=args.manifest, option="--save-profile")
    return profile
