"""The token that is kept, and every secret that is hidden."""

from __future__ import annotations

import base64
import json
import os
import re
import stat
from pathlib import Path
from urllib.parse import quote, quote_plus

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mk8s.errors import Mk8sError
from mk8s.needs import RandomKind
from mk8s.secrets import HIDDEN, Secrets, random_word

PASSWORD = 'hunter2 "and+more/'


def refused(folder: Path) -> str:
    with pytest.raises(Mk8sError) as caught:
        Secrets(folder).token()
    return str(caught.value)


def knowing(*values: str) -> Secrets:
    secrets = Secrets(Path("/nowhere"))
    for value in values:
        secrets.remember(value)
    return secrets


class TestToken:
    """Made once, kept for ever."""

    def test_a_token_is_made_at_the_first_call_and_kept(self, tmp_path: Path) -> None:
        """A resumed run gives nodes the token that the others joined with."""
        token = Secrets(tmp_path).token()

        assert re.fullmatch("[0-9a-f]{64}", token)
        assert Secrets(tmp_path).token() == token

    def test_a_token_that_nodes_were_given_is_never_made_anew(self, tmp_path: Path) -> None:
        """Where its file is gone, another token would let nobody join; the file is not written."""
        with pytest.raises(Mk8sError, match=r"secrets\.json is gone(.|\n)*restore it from a backup"):
            Secrets(tmp_path).token(given=True)
        assert not list(tmp_path.iterdir())

    def test_two_clusters_have_two_tokens(self, tmp_path: Path) -> None:
        """They are random."""
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()

        assert Secrets(tmp_path / "a").token() != Secrets(tmp_path / "b").token()

    def test_the_file_is_its_owners_alone(self, tmp_path: Path) -> None:
        """0600 from its first moment on."""
        Secrets(tmp_path).token()

        assert stat.S_IMODE((tmp_path / "secrets.json").stat().st_mode) == 0o600

    def test_nothing_is_written_before_a_token_is_asked_for(self, tmp_path: Path) -> None:
        """A cluster with a token of its user's needs no file."""
        Secrets(tmp_path).remember("abcdefgh")

        assert list(tmp_path.iterdir()) == []

    def test_a_token_is_not_given_when_it_cannot_be_kept(self, tmp_path: Path) -> None:
        """Durable before the first use, or no use."""
        assert "cannot be written" in refused(tmp_path / "missing")

    @pytest.mark.parametrize("bits", [0o640, 0o604, 0o620, 0o644])
    def test_a_file_that_others_can_open_is_refused_with_the_remedy(self, tmp_path: Path, bits: int) -> None:
        """Whoever read the token can join."""
        Secrets(tmp_path).token()
        path = tmp_path / "secrets.json"
        path.chmod(bits)

        text = refused(tmp_path)

        assert text.startswith(f"{path} is open to others than you (mode {bits:04o})")
        assert f"chmod 600 {path}" in text

    @pytest.mark.parametrize(
        "content", ["", "{", "[]", "{}", '{"token": 5}', '{"token": "short"}', "null", "\xff"]
    )
    def test_a_damaged_file_is_refused_and_kept(self, tmp_path: Path, content: str) -> None:
        """Another token would lock out the nodes that have joined."""
        path = tmp_path / "secrets.json"
        path.write_bytes(content.encode("latin-1"))
        path.chmod(0o600)

        assert refused(tmp_path).startswith(f"{path} is damaged")
        assert path.read_bytes() == content.encode("latin-1")

    def test_a_link_a_pipe_and_a_folder_are_refused(self, tmp_path: Path) -> None:
        """None of them is waited for or followed."""
        path = tmp_path / "secrets.json"
        path.symlink_to("elsewhere")
        assert "no link" in refused(tmp_path)
        path.unlink()
        os.mkfifo(path, 0o600)
        assert "is not an ordinary file" in refused(tmp_path)
        path.unlink()
        path.mkdir(0o700)
        assert "cannot be read" in refused(tmp_path)

    @pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
    def test_a_file_of_another_user_is_refused(self, tmp_path: Path) -> None:
        """He knows the token."""
        Secrets(tmp_path).token()
        os.chown(tmp_path / "secrets.json", 12345, 12345)

        assert "belongs to user 12345" in refused(tmp_path)

    def test_the_token_is_hidden_from_the_moment_it_is_given(self, tmp_path: Path) -> None:
        """Also where nobody remembers it."""
        secrets = Secrets(tmp_path)

        assert secrets.redact(f"token: {secrets.token()}") == "token: ***"

    def test_no_error_shows_the_token(self, tmp_path: Path) -> None:
        """Not even of a file that is damaged around it."""
        (tmp_path / "secrets.json").write_text('{"token": "0123456789abcdef"')
        (tmp_path / "secrets.json").chmod(0o600)

        assert "0123456789abcdef" not in refused(tmp_path)


class TestRandomWords:
    """Words of each kind, in its form."""

    @pytest.mark.parametrize(
        ("kind", "form"),
        [
            ("hex-32", "[0-9a-f]{64}"),
            ("base64-32", "[A-Za-z0-9+/]{43}="),
            ("bootstrap-token", r"[a-z0-9]{6}\.[a-z0-9]{16}"),
        ],
    )
    def test_each_kind_has_its_form_and_no_two_are_alike(self, kind: RandomKind, form: str) -> None:
        """As those who read them ask for."""
        words = {random_word(kind) for _ in range(100)}
        assert len(words) == 100
        assert all(re.fullmatch(form, word) for word in words)


class TestRedact:
    """Every secret, in every usual form."""

    def test_text_without_secrets_stays(self) -> None:
        """So does every text while none is known."""
        assert knowing().redact("abc") == "abc"
        assert knowing("secret").redact("abc") == "abc"

    @pytest.mark.parametrize(
        "written",
        [
            PASSWORD,
            json.dumps(PASSWORD),
            quote(PASSWORD, safe=""),
            quote_plus(PASSWORD),
            base64.b64encode(PASSWORD.encode()).decode(),
            base64.urlsafe_b64encode(PASSWORD.encode()).decode(),
            base64.b64encode(b"user:" + PASSWORD.encode()).decode(),
            base64.b64encode(b"admin:" + PASSWORD.encode() + b"@x").decode(),
        ],
    )
    def test_each_form_is_hidden(self, written: str) -> None:
        """Plain, in JSON, in a URL, in base64 with anything before it."""
        text = knowing(PASSWORD).redact(f"before {written} after")

        assert HIDDEN in text
        assert "hunter2" not in text
        assert written not in text
        assert text.startswith("before ")
        assert text.endswith(" after")

    def test_a_quote_as_the_shell_writes_it_is_hidden(self) -> None:
        """It's in a command line."""
        assert knowing("it's me").redact("echo 'it'\\''s me'") == "echo '***'"

    def test_longer_secrets_are_hidden_first(self) -> None:
        """Otherwise the rest of the longer one would stay."""
        assert knowing("abcd", "abcdefgh").redact("abcdefgh abcd") == "*** ***"

    def test_a_secret_is_hidden_without_the_space_around_it(self) -> None:
        """Files end with a newline, commands do not."""
        assert knowing("secret\n").redact("x secret y") == "x *** y"

    @pytest.mark.parametrize("short", ["", " ", "a", "abc", "\n\n\n\n\n"])
    def test_what_is_too_short_is_not_hidden(self, short: str) -> None:
        """It would ruin the text and hide nothing."""
        assert knowing(short).redact("a b c abc\n\n\n\n\n") == "a b c abc\n\n\n\n\n"

    def test_a_secret_learnt_later_is_hidden_from_then_on(self) -> None:
        """The set grows while a run goes."""
        secrets = knowing("first1")
        assert secrets.redact("first1 second") == "*** second"

        secrets.remember("second")

        assert secrets.redact("first1 second") == "*** ***"

    def test_a_private_key_is_hidden_though_nobody_remembers_it(self) -> None:
        """It is recognised by its form; see `mk8s.private_keys`."""
        key = "-----BEGIN PRIVATE KEY-----\nQUJDREVG\n-----END PRIVATE KEY-----\n"
        assert knowing().redact(f"said: {key}") == "said: ***\n"
        assert knowing("secret").redact(f"client-key-data: QUJD secret {key}") == (
            "client-key-data: *** *** ***\n"
        )

    @given(st.text(min_size=1, max_size=20), st.text(max_size=20), st.text(max_size=20))
    @settings(max_examples=300, derandomize=True, deadline=None)
    def test_no_remembered_secret_survives(self, secret: str, before: str, after: str) -> None:
        """Whatever stands around it: plain text and base64."""
        redacted = knowing(secret).redact(f"{before}{secret}{after}")
        hides = len(secret.strip()) >= 4

        assert not hides or secret not in redacted.replace(HIDDEN, "\0") or secret in HIDDEN
