"""What a lab asks of the machine it runs on: Linux, root, a few Debian packages, a mirror.

Missing packages are installed where apt-get is; elsewhere the message says what to install.
"""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence

from .errors import LabError, UnfitError
from .processes import run

__all__ = [
    "choose_mirror",
    "debian_mirror",
    "install_packages",
    "load_conntrack",
    "missing_packages",
    "require_packages",
    "require_root",
]

# program or file -> the Debian package that has it
NEEDED = {
    "ip": "iproute2",
    "ssh": "openssh-client",
    "ssh-keygen": "openssh-client",
    "mmdebstrap": "mmdebstrap",
    "depmod": "kmod",
    "nsenter": "util-linux",
}
PATIENCE = 120  # seconds for another apt-get to end
LOCKED = "Could not get lock"
Finder = Callable[[str], str | None]


def require_root(platform: str = sys.platform, user: int | None = None) -> None:
    """Raises UnfitError unless this is Linux and we are root. The arguments are for tests."""
    if platform != "linux":
        raise UnfitError(f"a lab needs Linux; this is {platform}", remedy="`mk8s simulate` works anywhere")
    if (os.geteuid() if user is None else user) != 0:
        raise UnfitError(
            "a lab needs root",
            cause="its hosts are made of namespaces, mounts and a network bridge",
            remedy="repeat the command with sudo; without root, `mk8s simulate` rehearses a manifest",
        )


def missing_packages(find: Finder = shutil.which) -> list[str]:
    """The Debian packages whose programs are not on this machine."""
    return sorted({package for program, package in NEEDED.items() if not find(program)})


def require_packages(say: Callable[[str], None]) -> None:
    """Install what is missing. Raises UnfitError where there is no apt-get, LabError if it fails."""
    missing = missing_packages()
    if not missing:
        return
    if not shutil.which("apt-get"):
        raise UnfitError(
            f"programs are missing that Debian has in: {' '.join(missing)}",
            remedy="install them by the means of this system, then repeat the command",
        )
    install_packages(missing, say)


def install_packages(
    names: Sequence[str],
    say: Callable[[str], None],
    apt: str = "apt-get",
    wait: Callable[[float], None] = time.sleep,
) -> None:
    """Install Debian packages on this machine. Raises LabError if apt-get fails. The rest is for tests."""
    say(f"installing {' '.join(names)} on this machine")
    for words in (["update"], ["install", "-y", "--no-install-recommends", *names]):
        _apt_get([apt, "-o", "DPkg::Lock::Timeout=0", *words], wait)


def _apt_get(command: Sequence[str], wait: Callable[[float], None]) -> None:
    """Waits for another apt-get, ours or the system's own. By itself it would wait for one of its three
    locks, and as long again in each try."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive", "LC_ALL": "C"}
    for _ in range(PATIENCE):
        done = run(command, env=environment, check=False)
        if not (done.returncode and LOCKED in done.stderr):
            break
        wait(1.0)
    if done.returncode:
        raise LabError(f"`{' '.join(command)}` ended with {done.returncode}", cause=done.stderr[-2000:])


def load_conntrack() -> None:
    """Have the setting of connection tracking, which is there only once its module is; it may be built in."""
    run(["modprobe", "-q", "nf_conntrack"], check=False)


def debian_mirror(suite: str, environment: Mapping[str, str]) -> str | None:
    """Where the hosts' packages come from: MK8S_LAB_MIRROR, else what this machine's apt uses, else None."""
    given = environment.get("MK8S_LAB_MIRROR")
    if given:
        return given
    if not shutil.which("apt-get"):
        return None
    words = ["apt-get", "indextargets", "--format", "$(SITE) $(CODENAME) $(COMPONENT)"]
    return choose_mirror(run(words, check=False).stdout, suite)


def choose_mirror(targets: str, suite: str) -> str | None:
    """The first site that has the suite's main component; None if apt knows none."""
    sites = (line.split() for line in targets.splitlines())
    return next((words[0] for words in sites if words[1:] == [suite, "main"]), None)
