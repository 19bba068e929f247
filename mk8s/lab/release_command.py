"""`mk8s lab release`: build the real release before it is needed, or copy it to where you want it."""

from __future__ import annotations

import os
import shutil
from argparse import ArgumentParser, Namespace
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from mk8s.errors import ExitCode

from .errors import UnfitError
from .places import cache_folder

if TYPE_CHECKING:
    from argparse import _SubParsersAction

__all__ = ["add_release", "copy_release"]

Say = Callable[[str], None]


def add_release(verbs: _SubParsersAction[ArgumentParser], say: Say) -> None:
    parser = verbs.add_parser(
        "release",
        help="build real Kubernetes from Debian packages, for --distro kubeadm and vanilla",
        description="Build real Kubernetes from Debian packages, once: it takes minutes, 3 GB while it lasts,"
        " then 1 GB. Prints the folders of release files for kubeadm and for vanilla.",
    )
    parser.add_argument(
        "--folder", type=Path, metavar="DIR", help="copy them to DIR/kubeadm and DIR/vanilla (0.8 GB)"
    )
    parser.set_defaults(handler=lambda args: _release(args, say))


def _release(args: Namespace, say: Say) -> int:
    from .real import real_release

    release = real_release(cache_folder(os.environ, Path.home()), say)
    folders = {"kubeadm": release.kubeadm, "vanilla": release.vanilla}
    if args.folder:
        folders = {name: copy_release(folder, args.folder / name) for name, folder in folders.items()}
    print("".join(f"{name} {folder}\n" for name, folder in folders.items()), end="")
    return ExitCode.DONE


def copy_release(folder: Path, target: Path) -> Path:
    """Copy release files: what is done to the copies harms no lab. Raises UnfitError if it fails."""
    try:
        target.mkdir(parents=True, exist_ok=True)
        for path in sorted(folder.iterdir()):
            shutil.copy2(path, target / path.name)
    except OSError as error:
        raise UnfitError(
            f"the release files cannot be copied to {target}: {error.strerror}",
            remedy="name another --folder",
        ) from error
    return target.absolute()
