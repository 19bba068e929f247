"""Profiles as files: JSON that people may read and change. Unknown keys are refused, with their line.

A duration is ``{"low": 0.8, "high": 1.3}`` in seconds, with ``"rate"`` in bytes per second where it grows
with a size; links are bytes per second and seconds. Whatever is left out is as the models declare.

`origins` says of names where their numbers are from, as far as they were not written here by hand.

Begin reading at `read_profile`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import replace
from math import inf, isfinite
from pathlib import Path
from typing import Any

import msgspec

from machines.documents import Document, parse_document, show_path
from machines.documents import Path as Place
from machines.errors import DocumentError, Fault
from machines.forms import read_form
from machines.words import one_line
from mk8s.errors import UsageError
from mk8s.forecast.profile import Layer, Origin
from transports.simulated import Span

__all__ = ["MAX_BYTES", "profile_text", "read_profile", "read_profile_text"]

MAX_BYTES = 4 << 20
DIGITS = 4  # of seconds: with more, small numbers have exponents, which documents do not know
MOST = 10**15  # bytes per second: what is more is no link's and no disk's; larger numbers have exponents
RATES = ("uplink", "link")
LONGEST = 366 * 86400.0  # seconds


class SpanForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Between `low` and `high` seconds, and the size by `rate` beside that."""

    low: float
    high: float
    rate: float | None = None


class LinksForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The operator's side, and the roads to the hosts. See `transports.simulated.Links`."""

    uplink: float | None = None
    link: float | None = None
    latency: float | None = None
    operator: float | None = None


class OriginsForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """By source, in words for people. What is named nowhere is given by the file itself."""

    models: list[str] = []  # as the models declared it
    given: dict[str, list[str]] = {}
    learnt: dict[str, dict[str, int]] = {}  # from how many samples; 0: carried over from others


class ProfileForm(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A whole file."""

    durations: dict[str, SpanForm] = {}
    links: LinksForm = LinksForm()
    source: str = ""  # for people: from what it was made
    origins: OriginsForm = OriginsForm()


def read_profile(path: Path) -> Layer:
    """The layer that stands in a file. Raises UsageError with every fault of it."""
    try:
        with path.open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        remedy = "name a profile: mk8s simulate cluster.yaml --learn --save-profile FILE writes one"
        raise UsageError(f"{path} cannot be read: {error.strerror}", remedy=remedy) from error
    return read_profile_text(data, str(path))


def read_profile_text(data: bytes, name: str) -> Layer:
    """The same for what stood in a file of that name."""
    try:
        document = parse_document(data, name, max_bytes=MAX_BYTES)
        form, faults = read_form(document, ProfileForm)
    except DocumentError as error:
        raise _refused(name, [str(fault) for fault in error.faults]) from error
    if form is not None and not faults:
        found = (*_span_faults(form), *_link_faults(form.links), *_origin_faults(form.origins))
        faults = [_fault(document, *each) for each in found]
    if form is None or faults:
        raise _refused(name, [str(fault) for fault in faults])
    return _layer(form, name)


def _refused(name: str, told: list[str]) -> UsageError:
    return UsageError(
        "\n  ".join([f"{name} is no profile of durations:", *told]),
        remedy="docs/prediction.md shows what may stand in one; --save-profile writes one",
    )


def _fault(document: Document, path: Place, message: str) -> Fault:
    return Fault(document.file, *document.mark(path), show_path(path), message)


def _span_faults(form: ProfileForm) -> Iterator[tuple[Place, str]]:
    for name, span in form.durations.items():
        if not (0 <= span.low <= span.high <= LONGEST and (span.rate is None or span.rate > 0)):
            yield ("durations", name), "0 <= low <= high seconds, at most a year, and a rate above 0"


def _link_faults(links: LinksForm) -> Iterator[tuple[Place, str]]:
    for name, rate in zip(RATES, (links.uplink, links.link), strict=True):
        if rate is not None and not rate > 0:
            yield ("links", name), "bytes per second, above 0"
    for name, seconds in (("latency", links.latency), ("operator", links.operator)):
        if seconds is not None and not 0 <= seconds <= LONGEST:
            yield ("links", name), "seconds, not negative, at most a year"


def _origin_faults(origins: OriginsForm) -> Iterator[tuple[Place, str]]:
    for source, samples in origins.learnt.items():
        for name, count in samples.items():
            if count < 0:
                yield ("origins", "learnt", source, name), "a number of samples, not negative"


def _layer(form: ProfileForm, name: str) -> Layer:
    durations = {
        operation: Span(span.low, span.high, inf if span.rate is None else span.rate)
        for operation, span in form.durations.items()
    }
    links = form.links
    learnt = [one_line(source) for source in form.origins.learnt]
    words = f"{name} ({'; '.join(learnt)})" if learnt else name
    layer = Layer(words, durations, links.uplink, links.link, links.latency, links.operator)
    own = {each: Origin(name) for each in layer.names}
    return replace(layer, origins=own | _origins(form.origins, name))


def _origins(form: OriginsForm, file: str) -> dict[str, Origin]:
    """Of a name that has several, the one that says most."""
    found = {name: Origin(file, models=True) for name in form.models}
    for source, names in form.given.items():
        found |= {name: Origin(_kept(source, file)) for name in names}
    for source, samples in form.learnt.items():
        found |= {name: Origin(_kept(source, file), count) for name, count in samples.items()}
    return found


def _kept(source: str, file: str) -> str:
    return f"{one_line(source)}, kept in {file}"


def profile_text(layer: Layer) -> str:
    """The same as text, names in order. With origins, where the layer knows any."""
    durations = {name: _as_data(span) for name, span in sorted(layer.durations.items())}
    links = {name: _rate(v) if name in RATES else _plain(v) for name, v in layer.links.items()}
    data = {"source": layer.source, "links": links, "durations": durations}
    if layer.origins:
        data["origins"] = _origins_as_data(layer.origins)
    return json.dumps(data, indent=1, ensure_ascii=False) + "\n"


def _origins_as_data(origins: Mapping[str, Origin]) -> dict[str, Any]:
    given: dict[str, list[str]] = {}
    learnt: dict[str, dict[str, int]] = {}
    for name, origin in sorted(origins.items()):
        if origin.samples is not None:
            learnt.setdefault(one_line(origin.source), {})[name] = origin.samples
        elif not origin.models:
            given.setdefault(one_line(origin.source), []).append(name)
    models = sorted(name for name, origin in origins.items() if origin.models)
    return {"models": models, "given": given, "learnt": learnt}


def _as_data(span: Span) -> dict[str, Any]:
    seconds = {"low": _plain(span.low), "high": _plain(span.high)}
    return {**seconds, "rate": _rate(span.rate)} if isfinite(span.rate) else seconds


def _plain(seconds: float) -> float:
    """Without an exponent, however short."""
    return round(seconds, DIGITS)


def _rate(rate: float) -> int:
    return round(min(max(rate, 1), MOST))
