"""Pages in a real browser: they show what they say, ask for nothing, and fit the window and the paper."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from mk8s.report.run import View, run_page
from tests.mk8s.report.browser import Browser, found, running
from tests.mk8s.report.pages import half, hostile, rehearsed

pytestmark = pytest.mark.skipif(found() is None, reason="there is no Chromium here: apt-get install chromium")

SHOWN = "[...document.querySelectorAll('.lane')].filter(lane => lane.offsetHeight > 0).length"
COVERED = """
(() => {
  const boxes = [...document.querySelectorAll('.axis text')].map(text => text.getBoundingClientRect());
  const meet = (a, b) => a.left < b.right && b.left < a.right && a.top + 1 < b.bottom && b.top + 1 < a.bottom;
  return boxes.flatMap((a, i) => boxes.slice(i + 1).filter(b => meet(a, b))).length;
})()
"""
CUT = """
[...document.querySelectorAll('.chart, .scroll')].filter(e => e.scrollHeight > e.clientHeight + 1).length
"""
TOO_WIDE = """
[...document.querySelectorAll('table, .plot, .figure')]
  .filter(e => e.getBoundingClientRect().right > innerWidth + 1).length
"""
VIEWS: dict[str, Callable[[], View]] = {
    "clean": rehearsed,
    "faulty": lambda: rehearsed(faults=0.05, seed=3),
    "many": lambda: rehearsed(agents=120),
    "hostile": hostile,
    "half": half,
}


@pytest.fixture(scope="module")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with running(tmp_path_factory.mktemp("profile")) as program:
        yield program


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    folder = tmp_path_factory.mktemp("pages")
    for name, view in VIEWS.items():
        (folder / f"{name}.html").write_text(run_page(view()))
    return {name: folder / f"{name}.html" for name in VIEWS}


@pytest.mark.parametrize("name", VIEWS)
def test_nothing_is_fetched_and_nothing_complains(
    name: str, browser: Browser, files: dict[str, Path]
) -> None:
    """The page's own file is all that is loaded; its policy blocks nothing that it needs."""
    browser.open(files[name])
    assert browser.asked == [files[name].as_uri()]
    assert browser.logged == []


def test_words_of_others_run_nothing(browser: Browser, files: dict[str, Path]) -> None:
    """Whatever a node's name or a message holds."""
    browser.open(files["hostile"])
    assert browser.says("typeof hacked") == "undefined"
    assert browser.says("document.images.length") == 0


@pytest.mark.parametrize("name", VIEWS)
def test_nothing_stands_out_of_the_window(name: str, browser: Browser, files: dict[str, Path]) -> None:
    """What is wider scrolls by itself: on a telephone, too."""
    browser.open(files[name])
    for width in (1600, 800, 380):
        browser.resize(width, 900)
        assert browser.says("document.documentElement.scrollWidth") <= width


def test_the_facts_are_there_to_be_read(browser: Browser, files: dict[str, Path]) -> None:
    """As text, which can be searched and copied."""
    browser.open(files["clean"])
    text = browser.says("document.body.innerText")
    for fact in ("All 6 nodes are healthy", "v1.33.4+rke2r1", "Critical path", "seed 0", "start-primary"):
        assert fact in text
    assert re.search(r"Control plane complete after\s+\d+:\d\d", text)


@pytest.mark.parametrize("name", VIEWS)
def test_labels_of_the_axis_do_not_cover_each_other(
    name: str, browser: Browser, files: dict[str, Path]
) -> None:
    """Signals that come close together stand on lines of their own, on a telephone too."""
    for width in (900, 500):
        browser.open(files[name], width=width)
        assert browser.says(COVERED) == 0


def test_only_what_is_not_over_yet_is_faded(browser: Browser, files: dict[str, Path]) -> None:
    """What a node has done stays done, whether the node is finished or not."""
    browser.open(files["half"])
    faded = "[...document.querySelectorAll('.lane rect.b')].filter(e => getComputedStyle(e).fillOpacity < 1)"
    assert browser.says(f"{faded}.length") > 0
    assert browser.says(f"{faded}.filter(e => !e.classList.contains('open')).length") == 0
    assert browser.says("getComputedStyle(document.querySelector('.lane.open text')).stroke") == "none"


def test_rows_are_filtered_by_role_state_and_words(browser: Browser, files: dict[str, Path]) -> None:
    """And the number of those that are left is told."""
    browser.open(files["clean"])

    def choose(script: str) -> tuple[int, str]:
        browser.says(f"tools = document.querySelector('.tools'); tools.reset(); {script};"
                     "tools.dispatchEvent(new Event('input'))")  # fmt: skip
        return browser.says(SHOWN), browser.says("document.querySelector('output').value")

    assert choose("tools.role.value = 'agent'") == (3, "3 of 6 nodes")
    assert choose("tools.state.value = 'healthy'") == (6, "6 nodes")
    assert choose("tools.text.value = 'SRV-2'") == (1, "1 of 6 nodes")
    assert choose("tools.trouble.checked = true") == (0, "0 of 6 nodes")


def test_the_chart_zooms_in_its_own_frame(browser: Browser, files: dict[str, Path]) -> None:
    """Names stay where they are, and the page stays as wide as it is."""
    browser.open(files["clean"])
    before = browser.says("document.querySelector('.lane .plot').getBoundingClientRect().width")
    browser.says("document.querySelector('[data-zoom=\"5\"]').click()")
    after = browser.says("document.querySelector('.lane .plot').getBoundingClientRect().width")
    assert after > 4.5 * before
    browser.says("document.querySelector('.chart').scrollLeft = 500")
    name, chart = (
        browser.says(f"document.querySelector('{which}').getBoundingClientRect().left")
        for which in (".lane .name", ".chart")
    )
    assert 0 <= name - chart <= 2
    assert browser.says("document.documentElement.scrollWidth <= innerWidth")


def test_the_scale_stays_in_sight(browser: Browser, files: dict[str, Path]) -> None:
    """Also above row one hundred."""
    browser.open(files["many"])
    browser.says("document.querySelector('.chart').scrollTop = 900")
    axis, chart = (
        browser.says(f"document.querySelector('{which}').getBoundingClientRect().top")
        for which in (".axis", ".chart")
    )
    assert 0 <= axis - chart <= 2


def test_dark_is_dark(browser: Browser, files: dict[str, Path]) -> None:
    """Where the reader prefers it, and on the screen alone."""
    browser.open(files["clean"])
    colour = "getComputedStyle(document.body).backgroundColor"
    browser.prefer("dark")
    dark = browser.says(colour)
    browser.prefer("dark", "print")
    printed = browser.says(colour)
    browser.prefer("light")
    assert (dark, printed, browser.says(colour)) == (
        "rgb(20, 24, 30)",
        "rgb(255, 255, 255)",
        "rgb(255, 255, 255)",
    )


@pytest.mark.parametrize("name", ["faulty", "many"])
def test_paper_cuts_nothing(name: str, browser: Browser, files: dict[str, Path]) -> None:
    """The chart stands there whole, what was folded is open, and what only works on a screen is gone."""
    browser.open(files[name], width=718)  # what A4 has room for between its margins
    browser.prefer("light", "print")
    browser.says("dispatchEvent(new Event('beforeprint'))")
    assert (browser.says(CUT), browser.says(TOO_WIDE)) == (0, 0)
    assert browser.says(SHOWN) == browser.says("document.querySelectorAll('.lane').length")
    assert browser.says("document.querySelector('.tools').offsetHeight") == 0
    assert browser.says("document.querySelectorAll('details:not([open])').length") == 0
    browser.prefer("light")
    assert browser.paper().startswith(b"%PDF-")


def test_without_scripts_everything_is_there(browser: Browser, files: dict[str, Path]) -> None:
    """All rows and all sections are; only what would not work is hidden."""
    browser.open(files["faulty"], scripts=False)
    assert browser.says(SHOWN) == 6
    assert browser.says("document.querySelector('.tools').offsetHeight") == 0
    assert "Nodes that need you" in browser.says("document.body.innerText")
    assert browser.picture().startswith(b"\x89PNG")
