"""The structs of a manifest that say in which mode a cluster is built. Pure data. See `schema`."""

from __future__ import annotations

from typing import Annotated, Literal

from msgspec import Meta

from mk8s.manifest.form import Config, Form, says

__all__ = ["DatastoreForm", "DropInsForm", "EndpointForm", "JoinForm"]


class EndpointForm(Form, frozen=True, kw_only=True):
    """The address that nodes register at, and what leads from there to the servers."""

    address: Annotated[str | None, says("IP or host name; virtual addresses are IPs.")] = None
    by: Annotated[
        Literal["external", "kube-vip", "keepalived", "cplb"],
        says("external: you run it; the others hold it among the servers."),
    ] = "external"
    interface: Annotated[str | None, says("Network interface of the servers that gets the address.")] = None
    image: Annotated[str | None, says("kube-vip's image, as the release's archive names it.")] = None
    router_id: Annotated[
        Annotated[int, Meta(ge=1, le=255)], says("VRRP's number: unique in the servers' network.")
    ] = 51
    node_local: Annotated[bool, says("true: every worker balances for itself (k0s).")] = False


class DatastoreForm(Form, frozen=True, kw_only=True):
    """A database that holds the cluster's state instead of the distro's own etcd."""

    endpoint: Annotated[str, says("postgres://, mysql:// or https:// (etcd), without a password.")]
    password_env: Annotated[str | None, says("Name of the environment variable that holds its password.")] = (
        None
    )
    ca_file: Annotated[str | None, says("Certificate of its authority, a file here.")] = None
    cert_file: Annotated[str | None, says("Client certificate, a file here.")] = None
    key_file: Annotated[str | None, says("Key of the client certificate, a file here.")] = None


class JoinForm(Form, frozen=True, kw_only=True):
    """A control plane that exists already: all nodes of this manifest are agents that join it."""

    address: Annotated[str, says("Where agents register.")]
    token_env: Annotated[str, says("Name of the environment variable that holds the join token.")]


class DropInsForm(Form, frozen=True, kw_only=True):
    """Files beside the distro's config, by name; each as text or as a mapping."""

    all: Annotated[dict[str, Config] | None, says("For every node.")] = None
    servers: Annotated[dict[str, Config] | None, says("For every server, the primary too.")] = None
    agents: Annotated[dict[str, Config] | None, says("For every agent.")] = None
