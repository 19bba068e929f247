"""k0s: a drop-in for its own containerd, and where its system images come from. Pure.

k0s merges ``/etc/k0s/containerd.d/*.toml`` into the config that it writes for containerd (v1.27.1 and later).
Up to 1.35 its containerd is 1.7 and the drop-in has version 2; from 1.36 on it is 2.x, and a drop-in of
version 2 makes k0s refuse to start. Source: k0s's documentation of its runtime.
"""

from __future__ import annotations

from pathlib import PurePosixPath

from mk8s.registries.hosts import PLUGIN_1, PLUGIN_2, auth_toml
from mk8s.registries.known import Given
from mk8s.registries.releases import K0S_NEW_CONFIG, begins_with

__all__ = ["CERTS_D", "DROP_IN", "drop_in", "image_settings"]

DROP_IN = PurePosixPath("/etc/k0s/containerd.d/mk8s-registries.toml")
CERTS_D = PurePosixPath("/etc/k0s/certs.d")  # the folder for `hosts.host_files`


def drop_in(given: Given, version: str) -> bytes:
    """The drop-in for this k0s. Holds passwords."""
    is_new = begins_with(version, K0S_NEW_CONFIG)
    number, plugin = (3, PLUGIN_2) if is_new else (2, PLUGIN_1)
    return (
        f"# written by mk8s\nversion = {number}\n\n"
        f'[plugins."{plugin}".registry]\n  config_path = "{CERTS_D}"\n{auth_toml(given, plugin)}'
    ).encode()


def image_settings(given: Given) -> dict[str, str]:
    """What belongs below ``spec.images`` of the ClusterConfig."""
    return {"repository": given.registries.default} if given.registries.default else {}
