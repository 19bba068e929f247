"""The manifest as it travels: without secrets, and with its paths as they are in the bundle. Pure.

Laws:

1. No secret is left: not in a value, a config given as text, or a comment. Where one cannot be taken out
   (it is also the name of a key), there is no template.
2. Everything else stays as it was written: comments, order, quotes.
3. What was taken out is told: `mk8s validate` refuses the template until it is filled in
   (mk8s/manifest/blanks.py).

Secrets shorter than four characters are taken out only where they are the whole value in a distro's
config: they would blot out ordinary words.

Begin reading at `manifest_template`.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path as FilePath
from typing import Any

import yaml
from yaml import events as ev

from machines.documents import FASTEST, Path, parse_document
from machines.errors import DocumentError
from mk8s.bundle.index import BundleError
from mk8s.cluster import Cluster
from mk8s.distros.base import Catalogue
from mk8s.manifest.blanks import PLACEHOLDER, no_blanks
from mk8s.manifest.configs import parse_config
from mk8s.manifest.source import EACH, Source
from mk8s.secrets import HIDDEN, Secrets

__all__ = ["blanks", "manifest_template", "secrets_of"]

ARTIFACTS_DIR = "./artifacts"
CONFIGS = (("nodes", EACH, "config"), ("config", EACH), ("drop_ins", EACH, EACH))
FILES = (("manifests", EACH), ("registries", "access", EACH, "ca_file"))
PLAIN = re.compile(r"[A-Za-z0-9./][A-Za-z0-9._/+-]*")
URL_LOGIN = re.compile(r"(?:(?<=http)|(?<=https))://[^/?#@\s]+@|://[^/@\s:]*:[^/@\s]+@", re.IGNORECASE)
"""Also a name alone: many servers take a token for it."""
SIGNED_URL = re.compile(
    r"([?&][^=&#\s]*(?:sig|token|key|pass|secret|cred|auth)[^=&#\s]*=)[^&#\s\"']+", re.IGNORECASE
)
"""A word of a query by which whoever has the URL is let in, as stores of objects make them."""
SHORTEST = 4  # of secrets that are looked for everywhere; mk8s.secrets has the same bound
MOST_BYTES = 8 << 20  # never the first bound: the manifest was read before

NOTE = f"""\
# The manifest of this bundle, made by `mk8s bundle create`. What is different from the original:
#   - secrets did not travel: `mk8s validate` says where they are missing;
#   - the release files are those of the bundle, artifacts_dir is {ARTIFACTS_DIR};
#   - files that the manifest names came along in files/. Keys for SSH and known_hosts did not.
"""  # without the placeholder: people fill it in by search and replace


@dataclass(frozen=True, slots=True)
class _Scalar:
    """A piece of text in the document: where it stands, and what it means."""

    start: int
    end: int
    value: str
    path: Path
    is_key: bool


@dataclass(frozen=True, slots=True)
class _Edit:
    start: int
    end: int
    text: str


class _Hider:
    """Knows every secret; says of a text whether one is in it."""

    def __init__(self, secrets: Iterable[str]) -> None:
        self._whole = frozenset(secret for secret in secrets if secret)
        self._inside = Secrets(FilePath())  # only its memory is used: no file is touched
        for secret in self._whole:
            self._inside.remember(secret)

    def hides(self, text: str, *, config: bool) -> bool:
        """Whether a value is one, or has one in it. Short ones count only in a config."""
        if text in self._whole and (config or len(text) >= SHORTEST):
            return True
        return self.clean(text) != text.replace(PLACEHOLDER, HIDDEN)

    def clean(self, text: str) -> str:
        """The text with stars in place of secrets, for comments."""
        text = URL_LOGIN.sub(f"://{HIDDEN}@", self._inside.redact(text.replace(PLACEHOLDER, HIDDEN)))
        return SIGNED_URL.sub(rf"\g<1>{HIDDEN}", text)


def secrets_of(text: str, cluster: Cluster, catalogue: Catalogue) -> tuple[str, ...]:
    """Every secret of the distro's configs and drop-ins, the nodes' own and shared, used by a node or not."""
    source = _source(text)
    configs: list[Mapping[str, Any]] = [node.config for node in cluster.nodes]
    for pattern in CONFIGS:
        for _, value in source.each(*pattern):
            if isinstance(value, str | dict):
                configs.append(_settings(value))
    return tuple(sorted({secret for config in configs for secret in catalogue.secrets_in(config)}))


def _settings(value: str | dict[str, Any]) -> Mapping[str, Any]:
    """A config; nothing for a drop-in of another form than YAML's."""
    try:
        return parse_config(value)
    except DocumentError:
        return {}


def manifest_template(
    text: str, secrets: Sequence[str], *, files: Mapping[str, str], name: str = ""
) -> bytes:
    """The manifest for a bundle. Raises BundleError where a secret cannot be taken out of it.

    `files`: paths as the manifest writes them -> where they are in the bundle. `name`: the cluster's name,
    added where the manifest gives none, because there it is made from the file's name.
    """
    source = _source(text.replace(NOTE, ""))  # of a manifest that was in a bundle before
    hider = _Hider(secrets)
    edits = [*_edits(source, hider, files, name), *_naming(source, name)]
    edited = _with_clean_comments(_applied(source.text, edits), hider)
    found = NOTE + edited
    _refuse_what_is_left(edited, hider)
    return found.encode()


def blanks(text: str | bytes) -> tuple[str, ...]:
    """The keys of a template that wait for their secret: ``nodes[0].config.token``."""
    plain = text if isinstance(text, str) else text.decode("utf-8", "replace")
    return tuple(fault.path for fault in no_blanks(_source(plain)))


def _source(text: str) -> Source:
    """The text with one kind of line end, so that places in it can be counted."""
    plain = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    return Source(parse_document(plain, "cluster.yaml", max_bytes=MOST_BYTES), plain)


def _edits(source: Source, hider: _Hider, files: Mapping[str, str], name: str) -> Iterator[_Edit]:
    for scalar in _scalars(source.text):
        new = None if scalar.is_key else _replaced(source, scalar, hider, files)
        if scalar.path == ("name",) and not scalar.is_key and source.mapping()["name"] is None:
            new = _quoted(name) if name else None
        if new is not None:
            yield _instead(source.text, scalar, new)


def _instead(text: str, scalar: _Scalar, new: str) -> _Edit:
    """Something in the place of a value. Empty lines below a block of text stay, whatever they belong to."""
    space = " " if scalar.start == scalar.end else ""
    end = scalar.start + len(text[scalar.start : scalar.end].rstrip())
    return _Edit(scalar.start, end, space + new.rstrip("\n"))


def _replaced(source: Source, scalar: _Scalar, hider: _Hider, files: Mapping[str, str]) -> str | None:
    """What stands in the place of a value; None: it stays."""
    path, value = scalar.path, scalar.value
    if path == ("artifacts_dir",):
        return ARTIFACTS_DIR
    if _is_one_of(path, FILES) and value in files:
        return _quoted(files[value])
    if _is_one_of(path, CONFIGS):
        inner = _config(value, hider)
        return None if inner == value else _as_text(source, scalar, inner)
    in_config = any(_is_one_of(path[: len(pattern)], [pattern]) for pattern in CONFIGS)
    return PLACEHOLDER if hider.hides(value, config=in_config) else None


def _is_one_of(path: Path, patterns: Iterable[tuple[str, ...]]) -> bool:
    return any(
        len(path) == len(pattern)
        and all(want in (EACH, part) for want, part in zip(pattern, path, strict=True))
        for pattern in patterns
    )


def _config(text: str, hider: _Hider) -> str:
    """A config given as text, by the same rules. Text of another kind is one value."""
    if not _settings(text):
        return PLACEHOLDER if hider.hides(text, config=True) else text
    hidden = [one for one in _scalars(text) if not one.is_key and hider.hides(one.value, config=True)]
    edits = [_instead(text, scalar, PLACEHOLDER) for scalar in hidden]
    return _with_clean_comments(_applied(text, edits), hider)


def _as_text(source: Source, scalar: _Scalar, inner: str) -> str:
    """A changed config in the place of the old one: a block of lines stays one, all else gets quotes."""
    block = source.block(scalar.path, scalar.value)
    if block is None:
        return json.dumps(inner, ensure_ascii=False)
    header, _, _ = source.text[scalar.start : scalar.end].partition("\n")
    lines = [f"{' ' * block[1]}{line}" if line else "" for line in inner.split("\n")]
    return "\n".join([header, *lines])


def _quoted(path: str) -> str:
    return path if PLAIN.fullmatch(path) else json.dumps(path, ensure_ascii=False)


def _naming(source: Source, name: str) -> Iterator[_Edit]:
    """The cluster's name as the first key, where it has none."""
    if not name or "name" in source.mapping():
        return
    first = next(scalar for scalar in _scalars(source.text) if scalar.is_key)
    is_flow = source.text[: first.start].rstrip().endswith("{")
    indent = first.start - (source.text.rfind("\n", 0, first.start) + 1)
    after = ", " if is_flow else "\n" + " " * indent
    yield _Edit(first.start, first.start, f"name: {_quoted(name)}{after}")


def _applied(text: str, edits: Iterable[_Edit]) -> str:
    pieces, before = [], 0
    for edit in sorted(edits, key=lambda edit: edit.start):
        pieces += [text[before : edit.start], edit.text]
        before = edit.end
    return "".join([*pieces, text[before:]])


def _with_clean_comments(text: str, hider: _Hider) -> str:
    """Comments are what stands outside of every value, from a # to the end of its line."""
    comments = [
        (start + found.start(), found[0])
        for start, end in _between(_scalars(text), text)
        for found in re.finditer(r"#[^\n]*", text[start:end])
    ]
    return _applied(text, (_Edit(at, at + len(old), _cleaned(old, hider)) for at, old in comments))


def _cleaned(comment: str, hider: _Hider) -> str:
    """A comment; as it was, if nothing is in it, so that one about the placeholder keeps its words."""
    return hider.clean(comment) if hider.hides(comment, config=False) else comment


def _between(scalars: Iterable[_Scalar], text: str) -> Iterator[tuple[int, int]]:
    """What stands outside of values; the first line of a block text, with its ``|``, does."""
    before = 0
    for scalar in scalars:
        is_block = text[scalar.start : scalar.start + 1] in ("|", ">")
        yield before, text.index("\n", scalar.start) if is_block else scalar.start
        before = scalar.end
    yield before, len(text)


def _refuse_what_is_left(text: str, hider: _Hider) -> None:
    """The last word: the template is read again, and then as mere text. Nothing here names the secret."""
    scalars = list(_scalars(text))
    values = [one for one in scalars if not one.is_key and one.value != PLACEHOLDER]
    if any(hider.hides(one.value, config=False) for one in values) or hider.hides(text, config=False):
        raise BundleError(
            "a secret of this manifest cannot be taken out of it, so it cannot travel",
            cause="the secret is also a word of the manifest, such as a key, or stands in it in another form",
            remedy="take a secret that cannot be guessed, or remove it from the manifest before bundling",
        )


def _scalars(text: str) -> Iterator[_Scalar]:
    """Every key and value of a sound document, in order."""
    stack: list[_Level] = []
    events: Callable[..., Iterator[Any]] = yaml.parse
    for event in events(text, Loader=FASTEST):
        if isinstance(event, ev.CollectionEndEvent):
            stack.pop()
            continue
        if not isinstance(event, ev.ScalarEvent | ev.CollectionStartEvent):
            continue
        is_key = bool(stack) and stack[-1].take(event)
        path = tuple(level.part for level in stack)
        if isinstance(event, ev.ScalarEvent):
            marks: Any = event
            yield _Scalar(marks.start_mark.index, marks.end_mark.index, event.value, path, is_key)
        else:
            stack.append(_Level(is_list=isinstance(event, ev.SequenceStartEvent)))


class _Level:
    """A mapping or list that is being read: `part` is the key or the place of what comes now."""

    def __init__(self, *, is_list: bool) -> None:
        self.part: str | int = -1 if is_list else ""
        self._is_list = is_list
        self._wants_key = True

    def take(self, event: Any) -> bool:
        """Go on to the next key, value or item. Whether this is a key."""
        if self._is_list:
            self.part = int(self.part) + 1
            return False
        is_key, self._wants_key = self._wants_key, not self._wants_key
        if is_key:
            self.part = event.value
        return is_key
