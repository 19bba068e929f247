"""Private registries and mirrors, as each container runtime wants to be told of them.

The manifest's `registries` is one description; runtimes have three dialects of it: the file of the K3s
engine (`engine`: RKE2, K3s), containerd's own files (`hosts`: kubeadm, vanilla) and k0s's drop-in (`k0s`).

Laws:

1. Rendering is pure: passwords and authorities come in with `Given`, never from the environment or a disk.
   `given` is the one module here that reads them, before any node is touched.
2. A file with a password in it has mode 0600 and is a secret step: it is never shown, logged or hashed.
3. Where the manifest says nothing of registries, nothing at all is rendered.
4. What a dialect cannot say is a fault, never left out in silence.

It knows no distro's steps and no node. Begin reading at `known`.
"""

from __future__ import annotations

from mk8s.registries.known import Given, given_of

__all__ = ["Given", "given_of"]
