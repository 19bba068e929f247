"""A real Kubernetes release for labs and tests, made on this machine from Debian packages alone.

Not for clusters that matter: it is one old version (the only one whose server Debian has the source of),
patched in two places, with stand-ins for the two programs that Debian does not have (crictl, coredns).
docs/real-release.md says all of it. Everything else in it is what it is called: Kubernetes, etcd, containerd.

What it must not know: manifests, drivers, hosts. A real rollout never imports it.

Begin reading at `release`. `recipe` is what decides how the result looks; `sources` fetches, `building`
compiles, `contents` says what is in each image, `images` writes them, `artifacts` lays out the folders.
"""

from __future__ import annotations

from .release import RealRelease, real_release, refuse_unfit

__all__ = ["RealRelease", "real_release", "refuse_unfit"]
