"""The structs of a manifest: what the YAML becomes once its form is sound. Pure data.

Every key that exists stands here, or in `access_forms` (nodes, SSH), `mode_forms` (endpoint, datastore,
joining) and `simulation`, with the words that explain it; `specs/manifest.schema.json` is made from these
structs, and docs/manifest.md is compared with them. What a value must look like is said in `values`, how the
parts must fit together in `checking`, what is left out in `resolving`.

After a change here: ``python -c 'from mk8s.manifest.schema import write_schema; write_schema()'``.
Begin reading at `ManifestForm`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from mk8s.manifest.access_forms import NodeForm, ProxyForm, SshForm
from mk8s.manifest.form import Arch, Config, Count, Form, says
from mk8s.manifest.mode_forms import DatastoreForm, DropInsForm, EndpointForm, JoinForm
from mk8s.manifest.simulation import SimulationForm

__all__ = [
    "ArtifactForm",
    "BudgetsForm",
    "ChecksForm",
    "ConfigForm",
    "DatastoreForm",
    "DropInsForm",
    "EdgeForm",
    "EndpointForm",
    "FanOutForm",
    "GatesForm",
    "JoinForm",
    "KubeVipForm",
    "LimitsForm",
    "ManifestForm",
    "NetworkForm",
    "NodeForm",
    "PolicyForm",
    "ProxyForm",
    "RegistriesForm",
    "RegistryAccessForm",
    "RegistryMirrorForm",
    "SimulationForm",
    "SshForm",
    "json_schema",
    "key_paths",
    "schema_text",
    "write_schema",
]

EDGE_NAMES: tuple[str, ...] = (
    "stage",
    "bootstrap",
    "start-primary",
    "join-server",
    "join-agent",
    "verify",
)
"""The edges that do something, in order; a test compares with specs/machines/node.yaml."""


class ArtifactForm(Form, frozen=True, kw_only=True):
    """One file of the release, where it differs from the distro's own name and place."""

    name: Annotated[str | None, says("File name in the artifacts folder.")] = None
    url: Annotated[str | None, says("Where to download it from: https, http or file.")] = None
    checksum: Annotated[str | None, says("Its sha256, 64 hexadecimal digits.")] = None


class ConfigForm(Form, frozen=True, kw_only=True):
    """Distro config that nodes share. A key of the node's own config wins, then its role's, then all's."""

    all: Annotated[Config, says("For every node.")] = None
    servers: Annotated[Config, says("For every server, the primary too.")] = None
    agents: Annotated[Config, says("For every agent.")] = None


class NetworkForm(Form, frozen=True, kw_only=True):
    """The cluster's inner networks, for distros that do not take them from their own config."""

    pod_cidr: Annotated[str, says("Network of the pods; every node gets a /24 of it.")] = "10.244.0.0/16"
    service_cidr: Annotated[str, says("Network of the services' own addresses.")] = "10.96.0.0/16"
    dns_domain: Annotated[str, says("Domain of the services.")] = "cluster.local"
    cni: Annotated[
        Literal["bridge", "none"],
        says("bridge: built in, with static routes; none: yours, from `manifests`."),
    ] = "bridge"


class KubeVipForm(Form, frozen=True, kw_only=True):
    """kube-vip holds the endpoint as a virtual address among the servers."""

    interface: Annotated[str, says("Network interface of the servers that gets the address.")]
    image: Annotated[str, says("kube-vip's image, as the release's archive names it.")]


class ChecksForm(Form, frozen=True, kw_only=True):
    """What is checked before anything is put on the nodes."""

    waive: Annotated[list[str] | None, says("Names of checks whose failure does not stop a run.")] = None


class LimitsForm(Form, frozen=True, kw_only=True, rename="kebab"):
    """How many nodes may do the same thing at the same time."""

    uploads: Annotated[Count | None, says("Nodes that receive files at the same time.")] = None
    etcd_joins: Annotated[Count | None, says("Servers that join at the same time.")] = None
    agent_joins: Annotated[Count | None, says("Agents that join at the same time.")] = None
    connections: Annotated[Count | None, says("SSH connections being opened at the same time.")] = None
    bandwidth: Annotated[
        str | None, says("The most that this machine sends to all nodes together, such as 20MB/s.")
    ] = None


class BudgetsForm(Form, frozen=True, kw_only=True):
    """How many nodes of a role may fail before no more of that role are begun."""

    server: Annotated[str | int | None, says("A number such as 0, or a share such as 20%.")] = None
    agent: Annotated[str | int | None, says("A number such as 0, or a share such as 20%.")] = None


class GatesForm(Form, frozen=True, kw_only=True):
    """What nodes wait for."""

    agents: Annotated[Literal["servers-healthy", "primary-ready"], says("When agents may join.")] = (
        "servers-healthy"
    )


class EdgeForm(Form, frozen=True, kw_only=True):
    """Times of one edge of the node machine."""

    timeout: Annotated[str | None, says("Longest time of one attempt, such as 30m.")] = None
    deadline: Annotated[str | None, says("Longest time of all attempts and the waits between.")] = None


class FanOutForm(Form, frozen=True, kw_only=True, rename="kebab"):
    """Nodes that have files already hand them on to the others."""

    mode: Annotated[
        Literal["auto", "on", "off"],
        says("auto: where it is quicker than sending to each node from this machine."),
    ] = "auto"
    seeds: Annotated[Count, says("Nodes that this machine sends to at the same time.")] = 2
    per_node: Annotated[Count, says("Nodes that one node serves at the same time.")] = 3
    between_groups: Annotated[Count, says("Transfers into one group from elsewhere at the same time.")] = 1


class RegistryMirrorForm(Form, frozen=True, kw_only=True):
    """Where the images of one registry are fetched instead."""

    endpoints: Annotated[list[str], says("Addresses of the mirrors, in order: https://host:port.")]
    rewrite: Annotated[dict[str, str] | None, says("Regular expression to the image path at the mirror.")] = (
        None
    )


class RegistryAccessForm(Form, frozen=True, kw_only=True):
    """How a registry or mirror is entered."""

    username: Annotated[str | None, says("User name.")] = None
    password_env: Annotated[str | None, says("Name of the environment variable that holds the password.")] = (
        None
    )
    ca_file: Annotated[str | None, says("Certificate of its authority, a file seen from the manifest.")] = (
        None
    )
    insecure: Annotated[bool, says("true: its certificate is not verified.")] = False


class RegistriesForm(Form, frozen=True, kw_only=True):
    """Private registries and mirrors that the nodes' container runtime uses."""

    mirrors: Annotated[
        dict[str, RegistryMirrorForm] | None, says('Registry, such as docker.io, or "*", to its mirrors.')
    ] = None
    access: Annotated[
        dict[str, RegistryAccessForm] | None, says("Registry or mirror, host[:port], to how it is entered.")
    ] = None
    default: Annotated[str | None, says("Registry that all system images come from: host[:port].")] = None
    fallback: Annotated[
        bool | None,
        says("Whether a registry itself is asked after its mirrors; by default not where airgap is true."),
    ] = None


class PolicyForm(Form, frozen=True, kw_only=True):
    """Changes to the node machine."""

    edges: Annotated[
        dict[str, EdgeForm | None] | None,
        says("Edge to times.", extra_json_schema={"propertyNames": {"enum": list(EDGE_NAMES)}}),
    ] = None


class ManifestForm(Form, frozen=True, kw_only=True):
    """A cluster, as a person describes it to mk8s."""

    distro: Annotated[str, says("The Kubernetes distribution: rke2, k3s, k0s, kubeadm or vanilla.")]
    version: Annotated[str, says("The whole release, such as v1.28.3+rke2r2.")]
    nodes: Annotated[list[NodeForm], says("The machines.", extra_json_schema={"minItems": 1})]
    name: Annotated[str | None, says("The cluster's name; by default made from the file's name.")] = None
    arch: Annotated[Arch, says("Processor of every node that does not give its own.")] = "amd64"
    airgap: Annotated[bool, says("true: the nodes reach no network but each other.")] = True
    artifacts: Annotated[
        dict[str, ArtifactForm | None] | None,
        says("Id (checksums, binary, images, installScript) to the file that replaces it."),
    ] = None
    mirrors: Annotated[
        dict[str, str] | None,
        says('Beginning of a URL, or "*", to the beginning that replaces it when release files are fetched.'),
    ] = None
    components: Annotated[
        dict[str, str] | None,
        says("Versions of containerd, runc, cni-plugins, crictl and etcd, where they differ from the usual."),
    ] = None
    images: Annotated[
        list[str] | None, says("Container images that the release must carry besides the distro's own.")
    ] = None
    registries: RegistriesForm | None = None
    artifacts_dir: Annotated[str, says("Folder of the release files, seen from the manifest.")] = (
        "./artifacts"
    )
    install_method: Annotated[
        Literal["tar", "script"], says("tar: unpack the release; script: run the distro's install script.")
    ] = "tar"
    artifacts_mode: Annotated[
        Literal["download", "bundle", "preinstalled"] | None,
        says(
            "download: fetch here what is missing; bundle: fetch nothing; preinstalled: it is on the nodes."
        ),
    ] = None
    endpoint: Annotated[
        str | EndpointForm | None, says("Address that nodes register at; by default the primary's.")
    ] = None
    join: JoinForm | None = None
    control_plane: Annotated[
        Literal["isolated", "tainted", "schedulable"] | None,
        says("Whether servers run workloads: never, only what tolerates their taint, or anything."),
    ] = None
    datastore: DatastoreForm | None = None
    drop_ins: DropInsForm | None = None
    proxy: ProxyForm | None = None
    kube_vip: KubeVipForm | None = None
    network: NetworkForm | None = None
    manifests: Annotated[
        list[str] | None, says("Files that are applied once the first API server is ready, in order.")
    ] = None
    hosts_entries: Annotated[bool, says("true: every node's /etc/hosts names all nodes.")] = False
    swap: Annotated[
        Literal["refuse", "disable", "allow"],
        says("Swap on a node: refuse it, turn it off, or let kubelet run with it."),
    ] = "refuse"
    smoke_image: Annotated[str | None, says("Image of the pods that `mk8s smoke` starts.")] = None
    checks: ChecksForm | None = None
    ssh: SshForm | None = None
    config: ConfigForm | None = None
    limits: LimitsForm | None = None
    fan_out: FanOutForm | None = None
    budgets: BudgetsForm | None = None
    gates: GatesForm | None = None
    policy: PolicyForm | None = None
    simulation: SimulationForm | None = None


def json_schema() -> dict[str, Any]:
    """The JSON schema of a manifest, for editors. Same keys, same words."""
    schema: dict[str, Any] = _described(msgspec.json.schema(ManifestForm))
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "mk8s manifest", **schema}


def _described(part: Any) -> Any:
    """The words of each key as its description, which is what editors show; structs keep their title."""
    if isinstance(part, list):
        return [_described(item) for item in part]
    if not isinstance(part, dict):
        return part
    is_struct = "properties" in part
    return {
        "description" if key == "title" and not is_struct else key: _described(value)
        for key, value in part.items()
    }


def schema_text() -> str:
    """The schema as it stands in specs/manifest.schema.json."""
    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def key_paths() -> list[str]:
    """Every key of a manifest, in order: ``nodes[].address``, ``artifacts.<id>.name``, ``ssh.port`` ..."""
    return list(_paths(msgspec.inspect.type_info(ManifestForm), ""))


def _paths(kind: msgspec.inspect.Type, above: str) -> Iterator[str]:
    """The paths below a type; `above` is the path that leads to it."""
    match kind:
        case msgspec.inspect.Metadata(type=inner):
            yield from _paths(inner, above)
        case msgspec.inspect.UnionType(types=types):
            for part in types:
                yield from _paths(part, above)
        case msgspec.inspect.ListType(item_type=item):
            yield from _paths(item, f"{above}[]")
        case msgspec.inspect.DictType(value_type=value):
            yield from _paths_in_dict(value, above)
        case msgspec.inspect.StructType(fields=fields):
            for field in fields:
                path = f"{above}.{field.encode_name}" if above else field.encode_name
                yield path
                yield from _paths(field.type, path)


def _paths_in_dict(value: msgspec.inspect.Type, above: str) -> Iterator[str]:
    """Keys that the user chooses stand in angle brackets; a dict of anything has no keys of ours."""
    names = {
        "artifacts": "<id>",
        "policy.edges": "<edge>",
        "registries.mirrors": "<registry>",
        "registries.access": "<host>",
    }
    if above in names:
        yield from _paths(value, f"{above}.{names[above]}")


def write_schema() -> None:
    """Write specs/manifest.schema.json of this source tree."""
    target = Path(__file__).resolve().parents[2] / "specs" / "manifest.schema.json"
    target.write_text(schema_text(), encoding="utf-8")
