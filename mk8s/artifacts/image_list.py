"""Which container images a cluster's release must carry.

kubeadm decides which pause, etcd and CoreDNS belong to a version, and has changed its mind between patch
releases; so it is asked, and a table stands in only where it is certain. vanilla's are mk8s' own choice.
The other distros publish whole archives: there only what the manifest adds is listed.

Laws:

1. `images_known` is pure: it says what is certain before anything is fetched, and what is not, in words.
2. A program is run only after its hash was found to be the published one, as a list of arguments, with an
   environment of its own in which nothing on a network can be reached, and for a bounded time.
3. An entry of the manifest's `images` takes the place of the image with the same last name; others are added.

Begin reading at `images_known`, then `images_needed`.
"""

from __future__ import annotations

import hashlib
import platform
import subprocess
import sys
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import trio

from machines.words import one_line
from mk8s.artifacts.references import component_of, parse_reference
from mk8s.cluster import Cluster
from mk8s.distros.upstream.images import KUBERNETES, find, nominal_images
from mk8s.distros.upstream.versions import release_of
from mk8s.errors import Mk8sError

__all__ = [
    "ImageListError",
    "ask_kubeadm",
    "host_arch",
    "images_known",
    "images_needed",
    "merged",
    "missing_components",
]

ASKED = ("pause", "etcd", "coredns")  # what kubeadm alone knows
OWN_ARCHIVE = ("kubeadm", "vanilla")  # distros for which nobody publishes an archive of images
VANILLA = ("pause", "coredns")  # all else is a program there
# Of the fact sheets, where they name one tag for all patch releases: minor -> component -> tag.
CERTAIN: Mapping[int, Mapping[str, str]] = {
    19: {"etcd": "3.4.13-0", "coredns": "1.7.0"},
    20: {"pause": "3.2", "etcd": "3.4.13-0", "coredns": "1.7.0"},
    21: {"etcd": "3.4.13-0"},
    32: {"pause": "3.10"},
}
UNSURE_REGISTRY = (23, 24)  # registry.k8s.io came to some patch releases of these
ASK_TIMEOUT = 30.0  # seconds; it takes a tenth of one
MOST_IMAGES = 64
MACHINES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}
NOWHERE = "http://127.0.0.1:9"  # the discard port of this machine: what would be fetched fails at once


class ImageListError(Mk8sError):
    """Which images the release needs cannot be found out here."""


def images_known(cluster: Cluster) -> tuple[tuple[str, ...], str]:
    """The images that are certain before anything is fetched, and words for those that are not.

    The words are empty where the list is complete.
    """
    names, unknown = _own(cluster)
    known = merged(names, cluster)
    unknown = _without(unknown, known)
    if not unknown:
        return known, ""
    return known, f"the tags of {_listed(unknown)} are asked of kubeadm {cluster.version} when it is fetched"


def missing_components(cluster: Cluster) -> tuple[str, ...]:
    """The components whose images only kubeadm can name. Empty: nothing has to be asked."""
    names, unknown = _own(cluster)
    return _without(unknown, merged(names, cluster))


def images_needed(cluster: Cluster, answered: Sequence[str]) -> tuple[str, ...]:
    """The whole list. `answered`: what `ask_kubeadm` said; empty where it was not asked.

    Raises ImageListError where something is still unknown, with what to write into the manifest.
    """
    if answered and cluster.distro == "kubeadm":
        return merged(answered, cluster)
    unknown = missing_components(cluster)
    if unknown:
        raise ImageListError(
            f"which images of {_listed(unknown)} belong to Kubernetes {cluster.version} is not known here",
            cause="only its kubeadm knows, and this machine cannot run it"
            f" ({sys.platform} on {platform.machine()})",
            remedy=f"name them in the manifest: images: [{_example(cluster, unknown)}]"
            f" (`kubeadm config images list --kubernetes-version {cluster.version}` prints them on a node)",
        )
    return images_known(cluster)[0]


def merged(names: Iterable[str], cluster: Cluster) -> tuple[str, ...]:
    """These images and those of the manifest, each once; the manifest's go before others of their name."""
    own = {component_of(image) for image in cluster.images}
    kept = [name for name in names if component_of(name) not in own]
    return tuple(dict.fromkeys([*kept, *cluster.images, *_more(cluster)]))


def host_arch() -> str:
    """The architecture whose Linux programs this machine can run; empty for none."""
    return MACHINES.get(platform.machine().lower(), "") if sys.platform == "linux" else ""


async def ask_kubeadm(program: Path, sha256: str, version: str) -> tuple[str, ...]:
    """What this kubeadm says that a version needs. It is run only if its hash is `sha256`, the published one.

    Raises ImageListError if it is another file, cannot be run or gives an answer that makes no sense.
    """
    with tempfile.TemporaryDirectory(prefix="mk8s-ask-") as folder:
        copy = Path(folder) / "kubeadm"  # one program of several names may go by how it is called
        found = await trio.to_thread.run_sync(_copy, program, copy)
        if found != sha256:
            raise ImageListError(
                f"{program} was not run: its sha256 is {found[:12]}…, and should be {sha256[:12]}…",
                remedy="remove it and fetch it again",
            )
        text = await _run([str(copy), "config", "images", "list", "--kubernetes-version", version], folder)
    return _answer(text, version)


def _own(cluster: Cluster) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The distro's own images: names that are certain, components that are not."""
    if cluster.distro == "vanilla":
        nominal = nominal_images(cluster)
        return tuple(find(nominal, name) for name in VANILLA), ()
    return _of_kubeadm(cluster) if cluster.distro == "kubeadm" else ((), ())


def _of_kubeadm(cluster: Cluster) -> tuple[tuple[str, ...], tuple[str, ...]]:
    minor = release_of(cluster).minor
    if minor in UNSURE_REGISTRY:
        return (), (*KUBERNETES, *ASKED)
    nominal = nominal_images(cluster)
    tags = CERTAIN.get(minor, {})
    certain = [f"{find(nominal, name).rpartition(':')[0]}:{tag}" for name, tag in tags.items()]
    return (*(find(nominal, name) for name in KUBERNETES), *certain), tuple(
        name for name in ASKED if name not in tags
    )


def _more(cluster: Cluster) -> tuple[str, ...]:
    """What the manifest asks for elsewhere. Other distros carry these in archives that the user gives."""
    if cluster.distro not in OWN_ARCHIVE:
        return ()
    vip = (cluster.kube_vip.image,) if cluster.kube_vip else ()
    return (*vip, *((cluster.smoke_image,) if cluster.smoke_image else ()))


def _without(unknown: Iterable[str], known: Iterable[str]) -> tuple[str, ...]:
    components = {component_of(name) for name in known}
    return tuple(name for name in unknown if name not in components)


def _copy(source: Path, target: Path) -> str:
    """A copy that may be run, and the hash of exactly what was copied."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while piece := reader.read(1 << 20):
            digest.update(piece)
            writer.write(piece)
    target.chmod(0o700)
    return digest.hexdigest()


async def _run(words: list[str], folder: str) -> str:
    environment = {"PATH": "/usr/bin:/bin", "HOME": folder, "LC_ALL": "C"}
    environment |= dict.fromkeys(("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY"), NOWHERE)
    try:
        with trio.fail_after(ASK_TIMEOUT):
            done = await trio.run_process(
                words, env=environment, cwd=folder, capture_stdout=True, capture_stderr=True
            )
    except trio.TooSlowError:
        raise _silent(f"it gave no answer within {ASK_TIMEOUT:.0f} s") from None
    except subprocess.CalledProcessError as error:
        raise _silent(one_line(error.stderr.decode(errors="replace"))) from error
    except OSError as error:
        raise _silent(f"it cannot be run here: {error.strerror}") from error
    return bytes(done.stdout).decode(errors="replace")


def _silent(cause: str) -> ImageListError:
    return ImageListError(
        "kubeadm did not say which images it needs",
        cause=cause,
        remedy="name pause, etcd and coredns with their tags as `images` in the manifest",
    )


def _answer(text: str, version: str) -> tuple[str, ...]:
    """One name on each line. Anything else is no answer."""
    names = tuple(dict.fromkeys(text.split()))
    try:
        for name in names:
            parse_reference(name)
    except ValueError as error:
        raise _silent(f"it said something else: {error}") from error
    if len(names) > MOST_IMAGES or not find(names, "kube-apiserver").endswith(f":{version}"):
        raise _silent(f"its list has no kube-apiserver of {version}")
    return names


def _listed(names: Sequence[str]) -> str:
    return " and ".join(filter(None, (", ".join(names[:-1]), names[-1])))


def _example(cluster: Cluster, components: Sequence[str]) -> str:
    registries = [find(nominal_images(cluster), name).rpartition(":")[0] for name in components]
    return ", ".join(f"{name}:TAG" for name in registries)
