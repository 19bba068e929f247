"""The structs of a manifest that say what a node is and how to get onto it. Pure data. See `schema`."""

from __future__ import annotations

from typing import Annotated, Literal, TypeAlias

from mk8s.manifest.form import Arch, Config, Form, Port, says

__all__ = ["NodeForm", "ProxyForm", "SshForm"]

Transport: TypeAlias = Literal["ssh", "openssh"]
Escalate: TypeAlias = Literal["sudo", "doas"]
LOGIN_ENV = "Name of the environment variable that holds the login password."
KEY_ENV = "Name of the environment variable that holds the passphrase of the key."
SUDO_ENV = "Name of the environment variable that holds the password for sudo."
TRANSPORT = "ssh: built in; openssh: your own ssh program, for hardware keys, GSSAPI and ProxyCommand."
ENVIRONMENT = "Variables of every command on the node. No secrets."


class ProxyForm(Form, frozen=True, kw_only=True):
    """The HTTP proxy of the distro's services and of the container runtime."""

    http: Annotated[str | None, says("Proxy for http, such as http://proxy.example.org:3128.")] = None
    https: Annotated[str | None, says("Proxy for https.")] = None
    no_proxy: Annotated[
        list[str] | None, says("Hosts and networks without a proxy, besides the cluster's own.")
    ] = None


class NodeForm(Form, frozen=True, kw_only=True):
    """One machine of the cluster."""

    address: Annotated[str, says("IPv4, IPv6 or host name; mk8s connects to it and others join by it.")]
    role: Annotated[Literal["server", "agent"], says("server: control plane and etcd; agent: worker.")]
    name: Annotated[str | None, says("Short unique name; by default made from the address.")] = None
    node_ip: Annotated[str | None, says("Its IP inside the cluster, where `address` is not that.")] = None
    user: Annotated[str | None, says("Login name: root, or one that may use sudo.")] = None
    primary: Annotated[bool | None, says("The server that starts the cluster; exactly one.")] = None
    local: Annotated[bool | None, says("This node is the machine that mk8s runs on: no SSH.")] = None
    arch: Annotated[Arch | None, says("The processor, where it differs from the cluster's.")] = None
    port: Annotated[Port | None, says("Port of sshd.")] = None
    ssh_key_path: Annotated[str | None, says("Private key file, seen from the manifest; ~ is your home.")] = (
        None
    )
    password_env: Annotated[str | None, says(LOGIN_ENV)] = None
    passphrase_env: Annotated[str | None, says(KEY_ENV)] = None
    sudo_password_env: Annotated[str | None, says(SUDO_ENV)] = None
    group: Annotated[
        str | None, says("Rack or site: nodes of one group have a quick link to each other.")
    ] = None
    jump: Annotated[
        list[str] | None, says("Bastions on the way, [user@]host[:port], in order; []: none.")
    ] = None
    certificate_path: Annotated[str | None, says("Certificate of the key; by default KEY-cert.pub.")] = None
    identities_only: Annotated[bool | None, says("true: offer no key but this node's own.")] = None
    transport: Annotated[Transport | None, says(TRANSPORT)] = None
    escalate: Annotated[Escalate | None, says("The program that makes a user root.")] = None
    environment: Annotated[dict[str, str] | None, says(ENVIRONMENT)] = None
    proxy: ProxyForm | None = None
    labels: Annotated[dict[str, str] | None, says("Labels that its Node object registers with.")] = None
    taints: Annotated[list[str] | None, says("Taints it registers with: key=value:Effect or key:Effect.")] = (
        None
    )
    arguments: Annotated[
        list[str] | None, says("More words for the distro's own start command; k0s only.")
    ] = None
    config: Annotated[Config, says("The distro's own config of this node, as text or as a mapping.")] = None


class SshForm(Form, frozen=True, kw_only=True):
    """How to get onto the nodes, where a node does not say otherwise."""

    user: Annotated[str | None, says("Login name of nodes that give none; by default your own.")] = None
    port: Annotated[Port | None, says("Port of sshd; by default 22.")] = None
    key_path: Annotated[str | None, says("Private key file; by default the agent's and the usual ones.")] = (
        None
    )
    known_hosts: Annotated[str | None, says("File of host keys; by default ~/.ssh/known_hosts.")] = None
    host_keys: Annotated[
        Literal["verify", "accept-new"],
        says("verify: refuse an unknown host; accept-new: keep its key at the first contact."),
    ] = "verify"
    password_env: Annotated[str | None, says(LOGIN_ENV)] = None
    passphrase_env: Annotated[str | None, says(KEY_ENV)] = None
    sudo_password_env: Annotated[str | None, says(SUDO_ENV)] = None
    config: Annotated[str, says("ssh_config to read what is not said here: auto, none, or a file.")] = "auto"
    jump: Annotated[list[str] | None, says("Bastions on the way to the nodes, [user@]host[:port].")] = None
    certificate_path: Annotated[str | None, says("Certificate of the key; by default KEY-cert.pub.")] = None
    identities_only: Annotated[bool | None, says("true: offer no key of the agent but key_path's.")] = None
    transport: Annotated[Transport, says(TRANSPORT)] = "ssh"
    escalate: Annotated[Escalate, says("The program that makes a user root.")] = "sudo"
    environment: Annotated[dict[str, str] | None, says(ENVIRONMENT)] = None
