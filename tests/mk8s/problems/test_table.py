"""docs/problems.md has every entry of the catalogues, as the data say it."""

from __future__ import annotations

from mk8s.resources import spec_path
from tests.mk8s.problems.table import BEGIN, PAGE, PARTS, PROGRAMS, tables


def test_the_page_is_what_the_data_say() -> None:
    """Written anew with `python -m tests.mk8s.problems.table`."""
    assert PAGE.read_text().partition(BEGIN)[2].strip() == tables().strip()


def test_no_file_of_the_catalogue_is_left_out_of_the_page() -> None:
    folder = spec_path("problems")

    assert {path.stem for path in folder.glob("*.yaml")} == set(PROGRAMS)
    assert {path.stem for path in (folder / "parts").glob("*.yaml")} == set(PARTS)
