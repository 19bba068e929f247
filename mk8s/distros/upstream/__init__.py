"""What distros of upstream's own programs share: the host, containerd, the pod network, the release's files.

The drivers for kubeadm and for bare binaries put these steps beside their own. As in a driver, all of it
is pure: a situation goes in, steps come out. Every operation here begins with ``upstream.`` and has its
model in `model`.

Begin reading at `parts` (which file goes where), then `host`, `runtime` and `network`.
"""
