"""The machine's picture with what a run did, fit to stand in a page. Pure."""

from __future__ import annotations

import re

from machines.diagrams.svg import machine_svg
from machines.diagrams.taken import taken_by
from mk8s.report.markup import Html, el
from mk8s.report.page import Section
from mk8s.tables import table_to_read
from mk8s.timeline import Timeline

__all__ = ["machine_section"]

STYLE = re.compile(r"<style>(.*?)</style>", re.DOTALL)
STYLE_ATTRIBUTE = re.compile(r'(<svg[^>]*?) style="[^"]*"')


def machine_section(timeline: Timeline) -> Section:
    """How many nodes are in which state now, and how often each way was taken."""
    table = table_to_read(timeline.spec)
    drawn = machine_svg(table, taken=taken_by(timeline.records, table))
    style = STYLE.search(drawn)
    plain = STYLE_ATTRIBUTE.sub(r"\1", STYLE.sub("", drawn, count=1), count=1)
    return Section(
        "machine",
        "The machine, and what the run took of it",
        el("div", Html(plain), class_="machine-of-run"),
        "Every node walks this machine. Ways that nobody took are faded.",
        style[1] if style else "",
    )
