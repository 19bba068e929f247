"""The last words of a unit that failed: the few lines that help, each once, without noise."""

from __future__ import annotations

import pytest

from mk8s.last_words import LINES, LONGEST, MARK, as_evidence, plain_words, useful_lines

FATAL = 'time="2025-03-01T08:00:00Z" level=fatal msg="starting kubernetes: preparing server: no \\"room\\""'
IN_K0S = (
    r'time="2025-03-01 08:00:00" level=info msg="{\"level\":\"fatal\",\"ts\":\"2025-03-01T08:00:00.1Z\",'
    r'\"msg\":\"discovery failed\",\"error\":\"listen tcp 10.0.0.1:2380\"}" component=etcd stream=stderr'
)


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (FATAL, 'fatal: starting kubernetes: preparing server: no "room"'),
        ("FATA[0012] flag provided but not defined: -x", "fatal: flag provided but not defined: -x"),
        ('E0301 08:00:00.815000   1234 server.go:12] "bad" err="x"', 'error: "bad" err="x"'),
        ("W0301 08:00:00.815000   1234 server.go:12] careful", "warning: careful"),
        ('{"level":"warn","ts":"2025","msg":"slow fdatasync","took":"1s"}', "warn: slow fdatasync"),
        (IN_K0S, "fatal: discovery failed: listen tcp 10.0.0.1:2380"),
        ('time="x" level=warning msg="no luck" error="exit status 1"', "warning: no luck: exit status 1"),
        ("2025/03/01 08:00:00 plain", "plain"),
        ('{"level":"warn", cut', '{"level":"warn", cut'),
        (r'{"level":"fatal","msg":"boom\nmk8s: all is well"}', "fatal: boom mk8s: all is well"),
        ("Error: as it is", "Error: as it is"),
    ],
)
def test_clocks_and_places_in_the_code_are_taken_off(line: str, words: str) -> None:
    """What is left is how grave it is, and what was said; a line that is cut off stays as it is."""
    assert plain_words(line) == words


def test_information_and_systemds_words_are_noise() -> None:
    journal = [
        'time="x" level=info msg="Starting k3s"',
        FATAL,
        "k3s.service: Main process exited, code=exited, status=1/FAILURE",
        "k3s.service: Failed with result 'exit-code'.",
        "Failed to start Lightweight Kubernetes.",
    ]

    assert useful_lines(journal) == [plain_words(FATAL)]


def test_a_line_that_was_said_again_stands_once_with_its_count() -> None:
    """But for its numbers: clocks, addresses in memory and attempts differ in what is the same."""
    journal = [f'level=error msg="attempt {number} of 0xc000{number}45500 failed"' for number in range(4)]

    assert useful_lines([*journal, "panic: at last"]) == [
        "error: attempt 3 of 0xc000345500 failed (4 times)",
        "panic: at last",
    ]


def test_the_line_that_was_recognised_stands_first() -> None:
    assert useful_lines(["one thing", FATAL, "another"], FATAL) == [
        plain_words(FATAL),
        "one thing",
        "another",
    ]


def test_grave_lines_stay_where_there_is_no_room_for_all() -> None:
    """A program that fails prints its manual: the reason stands before it."""
    manual = [f"--flag-{letter} value" for letter in "abcdefghijklmnop"]

    lines = useful_lines(["Error: unknown flag: --x", *manual])

    assert len(lines) == LINES
    assert lines[0] == "Error: unknown flag: --x"
    assert lines[-1] == "--flag-p value"


def test_there_is_an_end_to_it() -> None:
    journal = [letter * 2000 for letter in "abcdefghijklmnop"]

    lines = useful_lines(journal, journal[0])

    assert sum(map(len, lines)) <= LONGEST
    assert lines[0].startswith("aaa")
    assert lines[-1].startswith("ppp")


def test_a_journal_of_nothing_but_information_gives_its_end() -> None:
    """And one in which systemd alone has spoken gives that."""
    calm = [f'level=info msg="step {word}"' for word in ("one", "two", "three", "four")]

    assert useful_lines(calm) == ["step two", "step three", "step four"]
    assert useful_lines(["k3s.service: Failed with result 'oom-kill'."])
    assert useful_lines([]) == []


def test_a_secret_of_several_lines_is_taken_out_of_all_of_them() -> None:
    """A certificate or key that is printed into a journal makes one entry of each of its lines."""
    pem = ["-----BEGIN RSA PRIVATE KEY-----", "MIIEow" + "A" * 58, "B" * 64, "-----END RSA PRIVATE KEY-----"]

    lines = useful_lines(["error: cannot read", *pem, "panic: gone"])

    assert lines == ["error: cannot read", "panic: gone"]


def test_evidence_is_marked_as_somebody_elses_words() -> None:
    assert "head" + as_evidence(["one", "two"]) == f"head{MARK}one{MARK}two"
    assert as_evidence([]) == ""
