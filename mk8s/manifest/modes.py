"""What a manifest says of modes: endpoint, datastore, an existing control plane, proxies, labels. Pure.

The same laws as in `values` and `supply`: `VALUES` says which key has which rule, `RULES` how parts fit
together; `checking` puts them beside its own. What a mode means for a distro, its driver says.

Begin reading at VALUES.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from urllib.parse import urlsplit

from machines.errors import Fault
from machines.words import shown
from mk8s.manifest import networks, values
from mk8s.manifest.source import EACH, CrossRule, Source, as_text
from mk8s.manifest.values import Rule, Wrong, ip_of

__all__ = ["RULES", "VALUES"]

EFFECTS = ("NoSchedule", "PreferNoSchedule", "NoExecute")
LABEL_AT_MOST = 63
DOMAIN_AT_MOST = 253
_QUALIFIED = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]*[A-Za-z0-9])?)")
_DOMAIN = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_FILE = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,127}")
_DATASTORES = ("postgres", "postgresql", "mysql", "http", "https", "nats")
HELD = ("kube-vip", "keepalived", "cplb")
"""Ways in which the servers hold the endpoint among themselves."""
KEYS_OF_WAYS = {"interface": HELD, "image": ("kube-vip",), "router_id": ("keepalived", "cplb")}


def label_key(text: str) -> Wrong | None:
    """``name`` or ``domain/name``, as Kubernetes' labels and taints have it."""
    domain, slash, name = text.rpartition("/")
    bad_domain = slash and (len(domain) > DOMAIN_AT_MOST or not _DOMAIN.fullmatch(domain))
    if bad_domain or len(name) > LABEL_AT_MOST or not _QUALIFIED.fullmatch(name):
        return Wrong(f"{shown(text)} is not the key of a label", "such as disktype or example.org/rack")
    return None


def label_value(text: str) -> Wrong | None:
    if not text or (len(text) <= LABEL_AT_MOST and _QUALIFIED.fullmatch(text)):
        return None
    return Wrong(f"{shown(text)} is not the value of a label", "at most 63 of A-Z, a-z, 0-9, '-', '_', '.'")


def taint(text: str) -> Wrong | None:
    """``key=value:Effect`` or ``key:Effect``."""
    rest, _, effect = text.rpartition(":")
    key, _, value = rest.partition("=")
    if effect not in EFFECTS:
        hint = f"key=value:Effect, where Effect is {', '.join(EFFECTS)}"
        return Wrong(f"{shown(text)} is not a taint", hint)
    return label_key(key) or label_value(value)


def proxy_url(text: str) -> Wrong | None:
    """An HTTP proxy. Its password would lie open in unit files on the nodes."""
    if values.url(text) is not None or (parts := urlsplit(text)).scheme not in ("http", "https"):
        return Wrong(f"{shown(text)} is not the URL of a proxy", "such as http://proxy.example.org:3128")
    if parts.password is not None:
        return Wrong("this URL has a password in it", "use a proxy that knows the nodes by their addresses")
    return None


def no_proxy(text: str) -> Wrong | None:
    if text and not re.search(r"[\s,\"'\\]", text):
        return None
    return Wrong(
        f"{shown(text)} is not one host or network", "one entry each, such as .example.org or 10.0.0.0/8"
    )


def datastore(text: str) -> Wrong | None:
    """A database's URL. Its password stands in the environment, never here."""
    scheme, found, rest = text.partition("://")
    if not found or scheme not in _DATASTORES or re.search(r"[\s\x00-\x1f]", text):
        hint = "postgres://user@host:5432/name, mysql://user@tcp(host:3306)/name or https://etcd:2379"
        return Wrong(f"{shown(text)} is not a datastore", hint)
    if ":" in rest.rpartition("@")[0]:
        return Wrong(
            "this datastore has a password in it",
            "take it out and name the environment variable that holds it as datastore.password_env",
        )
    return None


def argument(text: str) -> Wrong | None:
    if text.startswith("-") and not re.search(r"[\x00-\x1f\x7f]", text):
        return None
    return Wrong(f"{shown(text)} is not an argument", "one word each, with its dashes: --profile=large")


VALUES: tuple[tuple[tuple[str, ...], Rule], ...] = (
    (("endpoint", "address"), values.address),
    (("endpoint", "interface"), networks.interface),
    (("endpoint", "image"), networks.image),
    (("join", "address"), values.address),
    (("join", "token_env"), values.environment_name),
    (("datastore", "endpoint"), datastore),
    (("datastore", "password_env"), values.environment_name),
    (("datastore", "ca_file"), values.path_text),
    (("datastore", "cert_file"), values.path_text),
    (("datastore", "key_file"), values.path_text),
    (("proxy", "http"), proxy_url),
    (("proxy", "https"), proxy_url),
    (("proxy", "no_proxy", EACH), no_proxy),
    (("nodes", EACH, "proxy", "http"), proxy_url),
    (("nodes", EACH, "proxy", "https"), proxy_url),
    (("nodes", EACH, "proxy", "no_proxy", EACH), no_proxy),
    (("nodes", EACH, "labels", EACH), label_value),
    (("nodes", EACH, "taints", EACH), taint),
    (("nodes", EACH, "arguments", EACH), argument),
    (("nodes", EACH, "jump", EACH), values.jump),
    (("nodes", EACH, "certificate_path"), values.path_text),
    (("ssh", "jump", EACH), values.jump),
    (("ssh", "certificate_path"), values.path_text),
    (("ssh", "config"), values.path_text),
)


def names_of_labels(source: Source) -> Iterator[Fault]:
    for path, labels in source.each("nodes", EACH, "labels"):
        for key in labels if isinstance(labels, dict) else ():
            if wrong := label_key(key):
                yield source.fault((*path, key), wrong)


def names_of_variables(source: Source) -> Iterator[Fault]:
    """Names that every shell takes."""
    for where in (("ssh", "environment"), ("nodes", EACH, "environment")):
        for path, variables in source.each(*where):
            for key in variables if isinstance(variables, dict) else ():
                if not _VARIABLE.fullmatch(key):
                    wrong = Wrong(f"{shown(key)} is not the name of a variable", "letters, digits and _")
                    yield source.fault((*path, key), wrong)


def names_of_drop_ins(source: Source) -> Iterator[Fault]:
    for part in ("all", "servers", "agents"):
        for name in source.mapping("drop_ins", part):
            if not _FILE.fullmatch(name):
                wrong = Wrong(f"{shown(name)} is not a plain file name", "such as 90-site.yaml")
                yield source.fault(("drop_ins", part, name), wrong)


def agents_alone(source: Source) -> Iterator[Fault]:
    """With `join` the servers are elsewhere: none is here, and nothing that only servers have."""
    if not isinstance(source.mapping().get("join"), dict):
        return
    for path, node in source.nodes():
        if node.get("role") == "server":
            hint = "mk8s joins agents to a control plane that it does not manage; leave `join` out otherwise"
            yield source.fault((*path, "role"), Wrong("a server beside `join`", hint))
    for key in ("endpoint", "kube_vip", "datastore", "control_plane", "manifests"):
        if source.mapping().get(key) is not None:
            wrong = Wrong(
                "means nothing beside `join`", "it belongs to the control plane that exists already"
            )
            yield source.fault((key,), wrong)


def one_way_to_the_endpoint(source: Source) -> Iterator[Fault]:
    """`kube_vip` is the older way to write ``endpoint: {by: kube-vip}``."""
    if isinstance(source.mapping().get("endpoint"), dict) and source.mapping().get("kube_vip") is not None:
        hint = "write `by: kube-vip`, `interface` and `image` below `endpoint`, and leave `kube_vip` out"
        yield source.fault(("kube_vip",), Wrong("`endpoint` says already what holds it", hint))


def endpoint_is_whole(source: Source) -> Iterator[Fault]:
    """Whatever holds the address needs one; nobody holds a name."""
    given = source.mapping("endpoint")
    by, address = as_text(given.get("by")) or "external", as_text(given.get("address"))
    if not given:
        return
    if address is None and (by in HELD or given.get("node_local") is not True):
        hint = "give it an address of the nodes' network that no machine has" if by in HELD else "name one"
        yield source.fault(("endpoint",), Wrong("the key 'address' is missing", hint))
    if by in HELD and address is not None and ip_of(address) is None:
        hint = "write the IP address that the name stands for"
        yield source.fault(
            ("endpoint", "address"), Wrong(f"{shown(address)} is a name: {by} holds an address", hint)
        )
    if by == "kube-vip":
        for key in ("interface", "image"):
            if given.get(key) is None:
                yield source.fault(("endpoint",), Wrong(f"the key {key!r} is missing", "kube-vip needs it"))
    yield from _held_by_nobody(source, by, address)


def _held_by_nobody(source: Source, by: str, address: str | None) -> Iterator[Fault]:
    if by not in HELD or address is None or ip_of(address) is None:
        return
    for key in ("address", "node_ip"):
        for path, of_node in source.words("nodes", EACH, key):
            if ip_of(of_node) == ip_of(address):
                hint = f"{by} moves the address between the servers: take one that no machine has"
                message = f"{shown(address)} is also the {key} in line {source.line(path)}"
                yield source.fault(("endpoint", "address"), Wrong(message, hint))
                return


def keys_of_the_way(source: Source) -> Iterator[Fault]:
    """A key of another way to the endpoint would be passed over in silence."""
    given = source.mapping("endpoint")
    by = as_text(given.get("by")) or "external"
    for key, ways in KEYS_OF_WAYS.items():
        if given.get(key) is not None and by not in ways:
            wrong = Wrong(f"means nothing with `by: {by}`", f"leave it out; it is for {' and '.join(ways)}")
            yield source.fault(("endpoint", key), wrong)


def datastore_files(source: Source) -> Iterator[Fault]:
    """A client certificate and its key go together."""
    given = source.mapping("datastore")
    pair = ("cert_file", "key_file")
    if (given.get(pair[0]) is None) != (given.get(pair[1]) is None):
        there, other = pair if given.get(pair[0]) is not None else pair[::-1]
        yield source.fault(("datastore", there), Wrong(f"stands without `{other}`", "give both, or neither"))


RULES: tuple[CrossRule, ...] = (
    names_of_labels,
    names_of_variables,
    names_of_drop_ins,
    agents_alone,
    one_way_to_the_endpoint,
    endpoint_is_whole,
    keys_of_the_way,
    datastore_files,
)
