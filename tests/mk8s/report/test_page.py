"""Pages as text: they need nothing else, hold nobody's markup, and are sound documents."""

from __future__ import annotations

import base64
import hashlib
import re
from collections import Counter
from html.parser import HTMLParser

import pytest

from mk8s.report.markup import el
from mk8s.report.page import HERE, Section, page
from mk8s.report.run import View, run_page
from tests.mk8s.report.pages import EVIL, hostile, rehearsed

VOID = {"meta", "input", "br", "hr", "wbr"}
SVG_EMPTY = {"rect", "line", "path", "circle", "use", "polyline"}


class Checked(HTMLParser):
    """Reads a document strictly: all that is opened is closed, in order."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.faults: list[str] = []
        self.ids: Counter[str] = Counter()
        self.links: set[str] = set()
        self.attributes: set[str] = set()
        self.tags: Counter[str] = Counter()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._take(tag, attrs)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._take(tag, attrs)
        if tag not in SVG_EMPTY:
            self.faults.append(f"<{tag}/>")

    def handle_endtag(self, tag: str) -> None:
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}>")

    def _take(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        names = Counter(name for name, _ in attrs)
        self.faults += [f"{tag} {name} twice" for name, count in names.items() if count > 1]
        self.attributes |= set(names)
        self.tags[tag] += 1
        for name, value in attrs:
            if name == "id":
                self.ids[value or ""] += 1
            if name == "href":
                self.links.add(value or "")


def checked(text: str) -> Checked:
    reader = Checked()
    reader.feed(text)
    reader.close()
    return reader


PAGES = {
    "clean": lambda: rehearsed(),
    "faulty": lambda: rehearsed(faults=0.05, seed=3),
    "hostile": hostile,
}


@pytest.fixture(params=PAGES)
def view(request: pytest.FixtureRequest) -> View:
    return PAGES[request.param]()


def test_a_page_is_a_sound_document(view: View) -> None:
    """Everything is closed in order, ids are given once, and every link within it leads somewhere."""
    read = checked(run_page(view))
    assert (read.faults, read.open) == ([], [])
    assert [name for name, count in read.ids.items() if count > 1] == []
    assert {link.removeprefix("#") for link in read.links} <= set(read.ids)


def test_a_page_names_no_address(view: View) -> None:
    """It is read where there is no network: nothing in it could be fetched."""
    text = run_page(view)
    plain = text.replace("http://www.w3.org/2000/svg", "")  # the name of a language, which nobody fetches
    assert re.findall(r"(?:https?:)?//\w|url\((?!#)|@import|\ssrc=\"", plain) == []


def test_words_of_others_stay_words() -> None:
    """Names, versions, messages, remedies, titles of steps: none becomes an element or an attribute."""
    text = run_page(hostile())
    read = checked(text)
    assert text.count("<script>") == 1
    assert "img" not in read.tags
    assert "b" not in read.tags
    assert not [name for name in read.attributes if name.startswith("on")]
    assert "style" not in read.attributes
    assert EVIL not in text
    assert "\x1b" not in text
    assert "\u202e" not in text


def test_the_policy_names_the_style_and_the_script_by_their_hashes() -> None:
    """And allows nothing else: no request, no form, no other base."""
    text = page("x", [Section("a", "A", el("p", "b"), style="p { color: red }")])
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    for tag in ("style", "script"):
        (content,) = re.findall(rf"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(content.encode()).digest()).decode()
        assert f"{tag}-src &#x27;sha256-{digest}&#x27;" in policy
    assert policy.startswith("default-src &#x27;none&#x27;")
    assert "form-action &#x27;none&#x27;" in policy


def test_the_same_run_is_the_same_page() -> None:
    """Nothing of it depends on the clock."""
    assert run_page(rehearsed()) == run_page(rehearsed())


def test_five_hundred_nodes_stay_readable_files() -> None:
    """A row of the chart and a row of the table cost less than six KiB together."""
    few, many = (len(run_page(rehearsed(agents=agents)).encode()) for agents in (3, 43))
    assert (many - few) / 40 * 500 < 3e6


def test_where_all_is_well_no_section_asks_for_help() -> None:
    """Nor is there a heading for it."""
    assert "Nodes that need you" not in run_page(rehearsed())
    assert "Nodes that need you" in run_page(rehearsed(faults=0.05, seed=3))


def schemes() -> list[tuple[str, dict[str, str]]]:
    """The colours of light, and those of dark over them."""
    light, dark = re.findall(r":root \{(.*?)\}", (HERE / "page.css").read_text(), re.DOTALL)[:2]
    first = dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", light))
    return [("light", first), ("dark", first | dict(re.findall(r"--([a-z0-9]+): (#[0-9a-f]{6})", dark)))]


def luminance(colour: str) -> float:
    """As WCAG 2.2 defines it."""
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize(("name", "colours"), schemes())
def test_words_stand_out_from_what_is_behind_them(name: str, colours: dict[str, str]) -> None:
    """4.5 to 1 at least (WCAG AA), in light and in dark, in a bar too."""
    pairs = [
        (ink, back) for ink in ("text", "soft", "link", "good", "bad", "wait") for back in ("back", "card")
    ]
    pairs += [("on", f"e{number}") for number in range(8)]
    faint = {pair: contrast(*(colours[each] for each in pair)) for pair in pairs}
    assert {pair: ratio for pair, ratio in faint.items() if ratio < 4.5} == {}
