"""Stand-ins for releases of RKE2, K3s and k0s: real file names and layout, programs that only behave so.

For tests and for rehearsal where no release can be had. They are named stand-ins in everything they print
and write; docs/standin.md says what they imitate and what not. Knows nothing of manifests, drivers or
transports; nothing in a real rollout imports it.

Begin reading at `build_release`; the programs themselves are under ``files``: ``base`` and ``kine`` are
shared by all, ``rancher`` is the engine of RKE2 and K3s, the rest is one distro's own.
"""

from mk8s.standin.release import build_release, distro_of

__all__ = ["build_release", "distro_of"]
