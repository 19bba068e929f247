"""A stand-in for an RKE2 release: real file names and layout, around a program that only behaves like RKE2.

For tests and for rehearsal where no release can be had. It is named a stand-in in everything it prints
and writes; docs/standin.md says what it imitates and what not. Knows nothing of manifests, drivers or
transports; nothing in a real rollout imports it.

Begin reading at `build_release`; the program itself is under ``files/rke2``.
"""

from mk8s.standin.release import build_release

__all__ = ["build_release"]
