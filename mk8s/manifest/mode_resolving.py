"""What the keys of modes become: endpoint, datastore, an existing control plane, proxies, drop-ins. Pure.

A part of `resolving`: it is given forms without faults. Begin reading there.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Literal

import yaml

from mk8s.cluster import Balancer, ControlPlane, Datastore, Jump, Proxy
from mk8s.manifest.access_forms import ProxyForm
from mk8s.manifest.form import Config
from mk8s.manifest.mode_forms import DatastoreForm, DropInsForm, EndpointForm, JoinForm
from mk8s.manifest.schema import ManifestForm
from mk8s.manifest.values import jump_parts

__all__ = [
    "artifacts_mode",
    "balancer",
    "datastore",
    "drop_ins",
    "endpoint",
    "existing",
    "jumps",
    "proxy",
    "ssh_config",
]

Locate = Callable[[str], Path]


def endpoint(form: ManifestForm) -> str | None:
    """The address alone, however it was written."""
    return form.endpoint.address if isinstance(form.endpoint, EndpointForm) else form.endpoint


def balancer(form: ManifestForm) -> Balancer:
    """What leads from the endpoint to the servers; `kube_vip` is the older way to say so."""
    given = form.endpoint
    if isinstance(given, EndpointForm):
        return Balancer(given.by, given.interface or "", given.image or "", given.router_id, given.node_local)
    vip = form.kube_vip
    return Balancer("kube-vip", vip.interface, vip.image) if vip else Balancer()


def datastore(form: DatastoreForm | None, locate: Locate) -> Datastore | None:
    if form is None:
        return None
    files = (form.ca_file, form.cert_file, form.key_file)
    return Datastore(form.endpoint, form.password_env, *(locate(text) if text else None for text in files))


def existing(form: JoinForm | None) -> ControlPlane | None:
    return ControlPlane(form.address, form.token_env) if form else None


def artifacts_mode(form: ManifestForm) -> Literal["download", "bundle", "preinstalled"]:
    """As given; else nothing is fetched in an air gap but from the manifest's own places."""
    return form.artifacts_mode or ("bundle" if form.airgap else "download")


def proxy(own: ProxyForm | None, shared: ProxyForm | None) -> Proxy | None:
    """The node's own, whole, else everybody's."""
    form = own or shared
    if form is None:
        return None
    return Proxy(form.http or "", form.https or "", tuple(form.no_proxy or ()))


def drop_ins(form: DropInsForm | None, *, server: bool) -> dict[str, str]:
    """File name to text; a role's file takes the place of everybody's of the same name."""
    if form is None:
        return {}
    chosen: dict[str, Config] = {**(form.all or {}), **((form.servers if server else form.agents) or {})}
    return {name: _text(content) for name, content in sorted(chosen.items())}


def _text(content: Config) -> str:
    if isinstance(content, Mapping):
        dumped: str = yaml.safe_dump(dict(content), sort_keys=False, allow_unicode=True, width=1 << 20)
        return dumped
    return content or ""


def jumps(own: list[str] | None, shared: list[str] | None) -> tuple[Jump, ...] | None:
    """Bastions in order; None where the manifest says nothing, so that ssh_config may."""
    given = own if own is not None else shared
    if given is None:
        return None
    return tuple(Jump(host, user, port) for user, host, port in map(jump_parts, given))


def ssh_config(text: str, locate: Locate) -> Path | Literal["auto", "none"]:
    if text == "auto":
        return "auto"
    return "none" if text == "none" else locate(text)
