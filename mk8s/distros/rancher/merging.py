"""config.yaml: what the user wrote, word for word, and the few keys that mk8s adds where they are absent.

Laws:

1. No key, comment or order of the user's is ever lost: keys are only added, and the result is parsed
   again to prove it.
2. Nothing is added that the user gave, in any spelling that RKE2 reads as the same setting.

Begin reading at `render_config`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from itertools import takewhile
from typing import Any, TypeAlias

import yaml

from mk8s.cluster import Cluster, Node
from mk8s.registries import Given, engine

__all__ = [
    "ConfigTextError",
    "data_dir",
    "host_in_url",
    "is_true",
    "join_token",
    "merge",
    "render_config",
    "server_url",
    "servers_of",
    "top_level_keys",
    "words",
]

Addition: TypeAlias = tuple[str, str | tuple[str, ...]]

SUPERVISOR_PORT = 9345  # fixed in RKE2
DATA_DIR = "/var/lib/rancher/rke2"
NOTE = "# added by mk8s"


class ConfigTextError(ValueError):
    """The text of a config is not something that keys can be added to. Says why, in words for the user."""


def render_config(cluster: Cluster, node: Node, token: str) -> bytes:
    """The node's /etc/rancher/rke2/config.yaml. Holds secrets.

    Raises ConfigTextError; `faults` finds the same before any node is touched.
    """
    text = node.config_text if node.config_text.strip() else _dump(node.config)
    present = top_level_keys(text)
    wanted = _additions(cluster, node, token)
    return merge(text, tuple((key, value) for key, value in wanted if not _given(key, present))).encode()


def _additions(cluster: Cluster, node: Node, token: str) -> list[Addition]:
    additions: list[Addition] = []
    if node.role != "primary":
        additions.append(("server", server_url(cluster)))
    wanted = join_token(cluster, node, token)
    if wanted:
        additions.append(("token", wanted))
    if node.is_server and cluster.endpoint:
        additions.append(("tls-san", (cluster.endpoint,)))
    if cluster.registries:
        additions += engine.settings(
            Given(cluster.registries), cluster.version, server=node.is_server
        ).items()
    return additions


def _given(key: str, present: Iterable[str]) -> bool:
    """A list key ending in ``+`` appends in RKE2, and ``token-file`` stands for ``token``."""
    spellings = {key, f"{key}+", f"{key}-file"}
    return any(name in spellings for name in present)


def join_token(cluster: Cluster, node: Node, token: str) -> str:
    """What this node joins with: agents use the servers' ``agent-token`` where the user set one."""
    if node.is_server:
        return token
    given = (
        str(server.config["agent-token"])
        for server in servers_of(cluster)
        if server.config.get("agent-token")
    )
    return next(given, token)


def servers_of(cluster: Cluster) -> tuple[Node, ...]:
    """All servers. They stand first among the nodes, so thousands of agents cost nothing here."""
    return tuple(takewhile(lambda node: node.is_server, cluster.nodes))


def server_url(cluster: Cluster) -> str:
    """Where other nodes register."""
    return f"https://{host_in_url(cluster.endpoint or cluster.primary.address)}:{SUPERVISOR_PORT}"


def host_in_url(address: str) -> str:
    """An address as it stands in a URL: IPv6 in brackets."""
    return f"[{address}]" if ":" in address and not address.startswith("[") else address


def data_dir(node: Node) -> str:
    """Where RKE2 keeps its data on this node."""
    return str(node.config.get("data-dir") or DATA_DIR).rstrip("/") or "/"


def words(value: Any) -> list[str]:
    """A setting that RKE2 reads as a list: a YAML list, or words with commas between them."""
    given = value if isinstance(value, (list, tuple)) else [] if value is None else [value]
    return [word.strip() for item in given for word in str(item).split(",") if word.strip()]


def is_true(value: Any) -> bool:
    """A setting that RKE2 reads as a switch."""
    return str(value).strip().lower() in {"true", "t", "1"}


def _dump(config: Mapping[str, Any]) -> str:
    if not config:
        return ""
    return yaml.safe_dump(dict(config), sort_keys=False, allow_unicode=True, width=1 << 20)


@lru_cache(maxsize=1024)
def top_level_keys(text: str) -> tuple[str, ...]:
    """The keys of a config text. Raises ConfigTextError when it is not one mapping with unique keys."""
    root = _compose(text)
    keys = [str(key.value) for key, _ in root.value] if root else []
    twice = sorted({key for key in keys if keys.count(key) > 1})
    if twice:
        raise ConfigTextError(f"{', '.join(twice)} given twice; RKE2 would keep only one of them")
    return tuple(keys)


def _compose(text: str) -> yaml.MappingNode | None:
    """The root mapping with its place in the text; None for an empty text."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.YAMLError as error:
        raise ConfigTextError(f"not valid YAML: {_where(error)}") from error
    except RecursionError as error:
        raise ConfigTextError("nested too deeply") from error
    if root is None or (isinstance(root, yaml.ScalarNode) and root.value == ""):
        return None
    if not isinstance(root, yaml.MappingNode):
        raise ConfigTextError("not a mapping of settings, such as `cni: cilium`")
    return root


def _where(error: yaml.YAMLError) -> str:
    mark = getattr(error, "problem_mark", None)
    problem = str(getattr(error, "problem", None) or error)
    return f"line {mark.line + 1}, column {mark.column + 1}: {problem}" if mark else problem


@lru_cache(maxsize=1024)  # most nodes of a large cluster have the same text
def merge(text: str, additions: tuple[Addition, ...]) -> str:
    """`text` with more top-level keys, everything else as it was.

    The new keys go to the end, or to the front where the end would change the last value (a block
    scalar that has no newline after it). Raises ConfigTextError when neither leaves the rest alone.
    """
    root = _compose(text)
    if not additions:
        return text
    for candidate in _candidates(text, root, additions):
        if _only_added(text, candidate, root is None):
            return candidate.text
    raise ConfigTextError("keys cannot be added to this text; write one `key: value` on each line")


@dataclass(frozen=True, slots=True)
class _Candidate:
    """A merged text, what was added to it as a document of its own, and at which end of the mapping."""

    text: str
    added: str
    at_front: bool = False


def _candidates(text: str, root: yaml.MappingNode | None, additions: Sequence[Addition]) -> list[_Candidate]:
    lines = _lines(additions, "")
    if root is None:
        return [_Candidate(_join(text, lines), lines)]
    if root.flow_style:
        return _into_flow(text, root, additions)
    indented = _lines(additions, " " * root.start_mark.column)
    end = root.end_mark.index
    front = root.start_mark.index - root.start_mark.column
    return [
        _Candidate(_join(text[:end].rstrip(" "), indented) + text[end:], lines),
        _Candidate(text[:front] + indented + text[front:], lines, at_front=True),
    ]


def _into_flow(text: str, root: yaml.MappingNode, additions: Sequence[Addition]) -> list[_Candidate]:
    """``{a: 1}`` or JSON: before the closing brace, after a comma where there is none yet."""
    brace = root.end_mark.index - 1
    pairs = ", ".join(f"{_quoted(key)}: {_quoted(value)}" for key, value in additions)
    return [_Candidate(f"{text[:brace]}{comma}{pairs}{text[brace:]}", f"{{{pairs}}}") for comma in (", ", "")]


def _lines(additions: Sequence[Addition], indent: str) -> str:
    pairs = "".join(f"{indent}{key}: {_quoted(value)}\n" for key, value in additions)
    return f"{indent}{NOTE}\n{pairs}"


def _join(before: str, lines: str) -> str:
    return before + lines if not before or before.endswith("\n") else f"{before}\n{lines}"


def _quoted(value: str | tuple[str, ...]) -> str:
    """JSON strings are YAML's double-quoted ones, whatever stands in them."""
    return json.dumps(value, ensure_ascii=False)


HEAD = 3  # events before the first key: stream, document and mapping start; as many end it


def _only_added(before: str, candidate: _Candidate, from_nothing: bool) -> bool:
    """Whether the candidate parses to the old events plus the additions at one end of the root mapping."""
    added = _events(candidate.added)
    try:
        new = _events(candidate.text)
    except yaml.YAMLError:
        return False
    if from_nothing:
        return new == added
    old = _events(before)
    place = HEAD if candidate.at_front else len(old) - HEAD
    return new == [*old[:place], *added[HEAD:-HEAD], *old[place:]]


def _events(text: str) -> list[tuple[object, ...]]:
    """What a parser sees, without places and styles. Aliases stay aliases, so size stays linear."""
    seen = ("anchor", "tag", "implicit", "value")
    return [
        (type(event), *(getattr(event, name, None) for name in seen))
        for event in yaml.parse(text, Loader=yaml.SafeLoader)
    ]
