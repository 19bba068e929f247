"""mk8s.keeper: made once, kept for ever, refused when it cannot be trusted."""

from __future__ import annotations

import json
import os
import re
import stat
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from mk8s.errors import ExitCode, ManifestError, Mk8sError
from mk8s.keeper import Expiring, Keeper, expiry_notice
from mk8s.needs import Authority, Certificate, Constant, Kept, KeyPair, Need, Number, Random, pretend
from mk8s.pki import Chance, expiry_of, make_authority, make_leaf, new_rsa_key
from mk8s.state import StateFolder

NOW = datetime(2026, 3, 4, 5, 6, 7, tzinfo=UTC)
RSA: list[rsa.RSAPrivateKey] = [new_rsa_key()]  # making one takes a while
CHANCE = Chance(rsa_key=lambda: RSA[0])
CA = Authority("ca", "kubernetes-ca")
KUBELET = Certificate("kubelet/n1", "ca", "system:node:n1", "system:nodes", client=True, dns=("n1",))
NEEDS: list[Need] = [
    KUBELET,  # before its authority: the order of needs is the driver's own
    CA,
    Authority("etcd/ca", "etcd-ca"),
    Certificate("etcd/n1", "etcd/ca", "n1", server=True, client=True, ips=("10.0.0.1",)),
    KeyPair("service-accounts"),
    Random("encryption", "base64-32"),
    Random("token", "bootstrap-token"),
    Random("certificate-key", "hex-32"),
    Constant("cluster-token", "first"),
    Number("pod-subnet/n1", "pod-subnets", 4),
    Number("pod-subnet/n2", "pod-subnets", 4),
]


class PowerCut(BaseException):
    """Nothing catches it, as nothing catches kill -9."""


def keeper(
    folder: Path,
    *,
    given: bool = False,
    now: datetime = NOW,
    write: Callable[[Path, bytes], None] | None = None,
) -> Keeper:
    return Keeper(folder, given=given, now=lambda: now, chance=CHANCE, write=write)


def files(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def as_data(kept: Kept) -> dict[str, object]:
    pairs = {name: (pair.public, pair.private) for name, pair in kept.pairs.items()}
    return {"words": kept.words, "numbers": kept.numbers, "pairs": pairs}


def refused(folder: Path, needs: Sequence[Need] = NEEDS, *, given: bool = True) -> Mk8sError:
    """What is said, and that nothing was written."""
    before = files(folder)
    with pytest.raises(Mk8sError) as caught:
        keeper(folder, given=given).keep(needs)
    assert files(folder) == before
    assert caught.value.remedy
    assert "PRIVATE" not in str(caught.value)
    return caught.value


class TestKeeping:
    """What is there after the first time, and after the second."""

    def test_everything_that_is_needed_is_there_in_its_form(self, tmp_path: Path) -> None:
        """Words, numbers, pairs, by the names of the needs."""
        kept = keeper(tmp_path).keep(NEEDS)

        assert set(kept.pairs) == {"ca", "kubelet/n1", "etcd/ca", "etcd/n1", "service-accounts"}
        assert re.fullmatch("[A-Za-z0-9+/]{43}=", kept.words["encryption"])
        assert re.fullmatch(r"[a-z0-9]{6}\.[a-z0-9]{16}", kept.words["token"])
        assert re.fullmatch("[0-9a-f]{64}", kept.words["certificate-key"])
        assert kept.words["cluster-token"] == "first"
        assert kept.numbers == {"pod-subnet/n1": 0, "pod-subnet/n2": 1}

    def test_its_files_have_the_names_of_the_needs(self, tmp_path: Path) -> None:
        """A slash makes a folder; a bare public key is no certificate."""
        keeper(tmp_path).keep(NEEDS)

        assert set(files(tmp_path)) == {
            "kept.json",
            *(
                f"pki/{name}.{end}"
                for name in ("ca", "kubelet/n1", "etcd/ca", "etcd/n1")
                for end in ("crt", "key")
            ),
            "pki/service-accounts.pub",
            "pki/service-accounts.key",
        }

    def test_all_of_it_is_its_owners_alone(self, tmp_path: Path) -> None:
        """Whatever the umask: 0600 and 0700."""
        before = os.umask(0)
        try:
            keeper(tmp_path).keep(NEEDS)
        finally:
            os.umask(before)

        modes = {(path.is_dir(), stat.S_IMODE(path.stat().st_mode)) for path in tmp_path.rglob("*")}
        assert modes == {(True, 0o700), (False, 0o600)}

    def test_no_private_key_and_no_certificate_stands_in_the_list(self, tmp_path: Path) -> None:
        """People may look at what each certificate was asked for."""
        keeper(tmp_path).keep(NEEDS)

        entry = json.loads((tmp_path / "kept.json").read_text())["pairs"]["kubelet/n1"]
        assert entry["request"] == {
            "kind": "certificate",
            "authority": "ca",
            "common_name": "system:node:n1",
            "organization": "system:nodes",
            "client": True,
            "dns": ["n1"],
        }
        assert "BEGIN" not in (tmp_path / "kept.json").read_text()

    def test_a_second_time_gives_the_same_and_writes_nothing(self, tmp_path: Path) -> None:
        """Nothing is re-issued on resume."""
        first = keeper(tmp_path).keep(NEEDS)

        def never(path: Path, content: bytes) -> None:
            raise AssertionError(path)

        again = keeper(tmp_path, given=True, now=NOW + timedelta(days=9), write=never).keep(NEEDS)
        assert as_data(again) == as_data(first)

    def test_a_cluster_that_needs_nothing_leaves_nothing(self, tmp_path: Path) -> None:
        """Not even a folder; nor is anything of it read."""
        (tmp_path / "kept.json").mkdir()
        assert as_data(keeper(tmp_path, given=True).keep([])) == as_data(Kept())
        assert [path.name for path in tmp_path.iterdir()] == ["kept.json"]

    def test_what_is_asked_for_more_is_made_beside_what_is_there(self, tmp_path: Path) -> None:
        """A node is added: the others keep theirs, and the authority signs for the new one."""
        first = keeper(tmp_path).keep(NEEDS)
        more = [*NEEDS, replace(KUBELET, name="kubelet/n2", common_name="system:node:n2")]

        grown = keeper(tmp_path, given=True).keep(more)

        assert {name: grown.pairs[name] for name in first.pairs} == dict(first.pairs)
        assert "kubelet/n2" in grown.pairs
        assert as_data(keeper(tmp_path, given=True).keep(more)) == as_data(grown)

    def test_only_what_is_asked_for_is_given(self, tmp_path: Path) -> None:
        """A node that is gone leaves its things behind, and they are found again if it comes back."""
        first = keeper(tmp_path).keep(NEEDS)
        assert set(keeper(tmp_path).keep([CA]).pairs) == {"ca"}
        assert as_data(keeper(tmp_path).keep(NEEDS)) == as_data(first)

    def test_a_constant_keeps_its_first_value(self, tmp_path: Path) -> None:
        """Whatever the manifest says later."""
        keeper(tmp_path).keep([Constant("c", "first")])
        assert keeper(tmp_path).keep([Constant("c", "second")]).words == {"c": "first"}

    def test_two_clusters_have_nothing_in_common(self, tmp_path: Path) -> None:
        """All of it is random."""
        (tmp_path / "a").mkdir()
        (tmp_path / "b").mkdir()
        one, two = (keeper(tmp_path / name).keep(NEEDS) for name in "ab")
        assert all(one.words[name] != two.words[name] for name in ("encryption", "token", "certificate-key"))
        assert one.pairs["ca"] != two.pairs["ca"]

    @pytest.mark.parametrize("name", ["", "../x", "a//b", "/a", "a/", ".hidden", "a/../b", "a b", "a\n"])
    def test_a_name_that_leads_elsewhere_is_a_bug(self, tmp_path: Path, name: str) -> None:
        """Drivers name needs, users do not."""
        with pytest.raises(ValueError, match="cannot be the name of a file"):
            keeper(tmp_path).keep([Authority(name, "x")])

    def test_a_name_that_is_needed_twice_is_a_bug(self, tmp_path: Path) -> None:
        """And told by its name."""
        with pytest.raises(ValueError, match="needed twice: ca"):
            keeper(tmp_path).keep([CA, CA])

    def test_what_a_certificate_cannot_hold_is_the_manifests_fault(self, tmp_path: Path) -> None:
        """With a remedy, before any node is touched."""
        with pytest.raises(ManifestError, match=r"kubelet/n1 cannot be made(.|\n)*shorten") as caught:
            keeper(tmp_path).keep([CA, replace(KUBELET, common_name="n" * 65)])
        assert caught.value.exit_code == ExitCode.MANIFEST_NEEDS_YOU


class TestNumbers:
    """The smallest that is free, and never anybody else's."""

    def test_a_node_in_between_takes_nobodys_number(self, tmp_path: Path) -> None:
        """Growth never moves a subnet."""
        keeper(tmp_path).keep([Number("a", "p", 9), Number("c", "p", 9)])
        kept = keeper(tmp_path).keep([Number("a", "p", 9), Number("b", "p", 9), Number("c", "p", 9)])
        assert kept.numbers == {"a": 0, "b": 2, "c": 1}

    def test_the_number_of_a_node_that_is_gone_stays_taken(self, tmp_path: Path) -> None:
        """Routes to it may still be somewhere."""
        keeper(tmp_path).keep([Number("a", "p", 9), Number("b", "p", 9)])
        assert keeper(tmp_path).keep([Number("b", "p", 9), Number("c", "p", 9)]).numbers == {"b": 1, "c": 2}

    def test_pools_do_not_know_each_other(self, tmp_path: Path) -> None:
        """Each begins at nought."""
        assert keeper(tmp_path).keep([Number("a", "p", 1), Number("b", "q", 1)]).numbers == {"a": 0, "b": 0}

    def test_a_pool_that_is_used_up_is_the_manifests_fault(self, tmp_path: Path) -> None:
        """With the remedy."""
        keeper(tmp_path).keep([Number("a", "p", 1)])
        words = str(refused(tmp_path, [Number("a", "p", 1), Number("b", "p", 1)]))
        assert words.startswith("b: all 1 of the pool 'p' are taken")

    def test_a_pool_that_became_too_small_is_refused(self, tmp_path: Path) -> None:
        """The node has that subnet."""
        keeper(tmp_path).keep([Number("a", "p", 9), Number("b", "p", 9)])
        assert "b is number 1, and the pool 'p' has only 1 now" in str(
            refused(tmp_path, [Number("b", "p", 1)])
        )


class TestChanges:
    """What was made for one purpose is not handed out for another."""

    @pytest.mark.parametrize(
        ("now", "words"),
        [
            (replace(KUBELET, dns=("n1", "n9")), "kubelet/n1: names: was n1, now n1, n9"),
            (replace(KUBELET, ips=("10.0.0.1",)), "kubelet/n1: addresses: was none, now 10.0.0.1"),
            (replace(KUBELET, common_name="x"), "kubelet/n1: common name: was system:node:n1, now x"),
            (replace(KUBELET, server=True), "kubelet/n1: for servers: was none, now yes"),
            (replace(KUBELET, authority="etcd/ca"), "kubelet/n1: authority: was ca, now etcd/ca"),
            (KeyPair("kubelet/n1"), "kubelet/n1 was kept as certificate, and is asked for as key pair"),
            (Random("kubelet/n1", "hex-32"), "was kept as certificate, and is asked for as hex-32"),
            (Random("token", "hex-32"), "token was kept as bootstrap-token, and is asked for as hex-32"),
            (Constant("token", "x"), "token was kept as bootstrap-token, and is asked for as constant"),
            (Number("pod-subnet/n1", "other", 9), "was taken from the pool 'pod-subnets'"),
        ],
    )
    def test_each_change_is_told_before_anything_is_made(self, tmp_path: Path, now: Need, words: str) -> None:
        """Also what was needed besides is not made then."""
        keeper(tmp_path).keep(NEEDS)
        rest = [need for need in NEEDS if need.name != now.name]
        error = refused(tmp_path, [*rest, now, Random("new", "hex-32")])
        assert isinstance(error, ManifestError)
        assert words in str(error)

    def test_all_changes_are_told_at_once(self, tmp_path: Path) -> None:
        """Not one a run."""
        keeper(tmp_path).keep(NEEDS)
        words = str(refused(tmp_path, [CA, replace(KUBELET, dns=()), Random("token", "hex-32")]))
        assert "kubelet/n1: names" in words
        assert "token was kept" in words

    def test_another_order_of_names_and_another_time_are_no_change(self, tmp_path: Path) -> None:
        """Nor is a name that stands there twice."""
        two = replace(KUBELET, dns=("a", "b"))
        kept = keeper(tmp_path).keep([CA, two])
        again = keeper(tmp_path, given=True).keep([CA, replace(two, dns=("b", "a", "a"), days=9)])
        assert as_data(again) == as_data(kept)


class TestTrust:
    """What cannot be trusted is refused, and never made anew."""

    @pytest.mark.parametrize(
        "name", ["pki/ca.key", "pki/ca.crt", "pki/kubelet/n1.key", "pki/service-accounts.pub"]
    )
    @pytest.mark.parametrize("given", [True, False])
    def test_a_file_that_is_gone_is_not_made_again(self, tmp_path: Path, name: str, given: bool) -> None:
        """Nodes may have it."""
        keeper(tmp_path).keep(NEEDS)
        (tmp_path / name).unlink()
        error = refused(tmp_path, given=given)
        assert error.problem == f"{tmp_path / name} is gone"
        assert "restore it from a backup" in error.remedy

    def test_a_list_that_is_gone_is_not_made_again_when_nodes_were_given_something(
        self, tmp_path: Path
    ) -> None:
        """Another encryption key would make every secret of the cluster unreadable."""
        keeper(tmp_path).keep(NEEDS)
        (tmp_path / "kept.json").unlink()
        assert refused(tmp_path).problem == f"{tmp_path / 'kept.json'} is gone"

    def test_a_list_that_is_gone_before_anybody_was_given_anything_is_made_again(
        self, tmp_path: Path
    ) -> None:
        """Around the pairs that are there."""
        first = keeper(tmp_path).keep(NEEDS)
        (tmp_path / "kept.json").unlink()
        assert keeper(tmp_path).keep(NEEDS).pairs == first.pairs

    @pytest.mark.parametrize(
        "content",
        [
            b"",
            b"{",
            b"[]",
            b'{"version": 1}',
            b"\xff",
            b'{"version": 9, "words": {}, "numbers": {}, "pairs": {}}',
        ],
    )
    def test_a_damaged_list_is_refused(self, tmp_path: Path, content: bytes) -> None:
        """Torn, foreign, or of a later mk8s."""
        keeper(tmp_path).keep(NEEDS)
        (tmp_path / "kept.json").write_bytes(content)
        assert refused(tmp_path, given=False).problem.startswith(
            f"{tmp_path / 'kept.json'} cannot be used: it is "
        )

    @pytest.mark.parametrize(
        "name", ["pki/ca.key", "pki/ca.crt", "pki/kubelet/n1.crt", "pki/service-accounts.pub"]
    )
    def test_a_damaged_file_is_refused(self, tmp_path: Path, name: str) -> None:
        """Also one that is empty."""
        keeper(tmp_path).keep(NEEDS)
        (tmp_path / name).write_bytes(b"")
        assert "cannot be used: it" in refused(tmp_path).problem

    def test_another_authority_in_its_place_is_refused(self, tmp_path: Path) -> None:
        """Whole, of the same name, and not the one that the nodes trust."""
        keeper(tmp_path).keep(NEEDS)
        other = make_authority(CA, NOW, CHANCE)
        (tmp_path / "pki/ca.crt").write_bytes(other.public)
        (tmp_path / "pki/ca.key").write_bytes(other.private)
        assert "it is another one than was made for this cluster" in refused(tmp_path).problem

    def test_a_certificate_that_was_renewed_by_hand_is_taken(self, tmp_path: Path) -> None:
        """For the same names and by the same authority; nothing else may change."""
        kept = keeper(tmp_path).keep(NEEDS)
        renewed = make_leaf(KUBELET, kept.pairs["ca"], NOW + timedelta(days=200), CHANCE)
        (tmp_path / "pki/kubelet/n1.crt").write_bytes(renewed.public)
        (tmp_path / "pki/kubelet/n1.key").write_bytes(renewed.private)
        assert keeper(tmp_path, given=True).keep(NEEDS).pairs["kubelet/n1"] == renewed

    def test_a_certificate_of_another_authority_is_refused(self, tmp_path: Path) -> None:
        """No node would trust it."""
        keeper(tmp_path).keep(NEEDS)
        foreign = make_leaf(KUBELET, make_authority(CA, NOW, CHANCE), NOW, CHANCE)
        (tmp_path / "pki/kubelet/n1.crt").write_bytes(foreign.public)
        (tmp_path / "pki/kubelet/n1.key").write_bytes(foreign.private)
        assert "it is not signed by CN=kubernetes-ca" in refused(tmp_path).problem

    @pytest.mark.parametrize("bits", [0o640, 0o604, 0o660])
    @pytest.mark.parametrize("name", ["kept.json", "pki/ca.key", "pki/kubelet/n1.crt"])
    def test_a_file_that_others_can_open_is_refused(self, tmp_path: Path, name: str, bits: int) -> None:
        """Whoever read it can take the cluster over."""
        keeper(tmp_path).keep(NEEDS)
        (tmp_path / name).chmod(bits)
        error = refused(tmp_path)
        assert error.problem == f"{tmp_path / name} is open to others than you (mode {bits:04o})"
        assert f"chmod 600 {tmp_path / name}" in error.remedy

    @pytest.mark.parametrize("name", ["pki", "pki/kubelet"])
    def test_a_folder_that_others_can_change_is_refused(self, tmp_path: Path, name: str) -> None:
        """They could have put their own authority there."""
        keeper(tmp_path).keep(NEEDS)
        (tmp_path / name).chmod(0o770)
        assert "can be changed by others" in refused(tmp_path).problem

    @pytest.mark.parametrize("name", ["pki", "pki/kubelet", "kept.json", "pki/ca.key"])
    def test_a_link_is_not_followed(self, tmp_path: Path, name: str) -> None:
        """Not even to where everything is as it should be."""
        folder = tmp_path / "state"
        folder.mkdir()
        keeper(folder).keep(NEEDS)
        (folder / name).rename(tmp_path / "elsewhere")
        (folder / name).symlink_to(tmp_path / "elsewhere")
        with pytest.raises(Mk8sError, match=r"is a link|no link"):
            keeper(folder, given=True).keep(NEEDS)


def writes_of(needs: Sequence[Need], folder: Path) -> int:
    done: list[Path] = []

    def write(path: Path, content: bytes) -> None:
        done.append(path)
        StateFolder(folder).write_private(path, content)

    keeper(folder, write=write).keep(needs)
    return len(done)


def cut_off(folder: Path, after: int, *, torn: bool) -> Callable[[Path, bytes], None]:
    """A writer whose power is cut at a write; `torn`: in the midst of it, else just after it."""
    left = [after]

    def write(path: Path, content: bytes) -> None:
        left[0] -= 1
        if left[0] < 0 and torn:
            path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            half = path.with_name(f".{path.name}.0123456789abcdef.tmp")
            half.write_bytes(content[: len(content) // 2])
            raise PowerCut
        if left[0] < 0:
            raise PowerCut
        StateFolder(folder).write_private(path, content)

    return write


class TestPowerCuts:
    """kill -9 between any two writes, and in the midst of any."""

    @pytest.mark.parametrize("torn", [True, False], ids=["torn", "between"])
    def test_after_any_cut_the_next_run_goes_on(self, tmp_path: Path, torn: bool) -> None:
        """What was whole is kept as it is, nothing is left lying about, and later runs find the same."""
        (tmp_path / "whole").mkdir()
        for after in range(writes_of(NEEDS, tmp_path / "whole")):
            folder = tmp_path / f"cut-{after}"
            folder.mkdir()
            with pytest.raises(PowerCut):
                keeper(folder, write=cut_off(folder, after, torn=torn)).keep(NEEDS)
            certificates = {
                name: content for name, content in files(folder).items() if name.endswith((".crt", ".pub"))
            }

            kept = keeper(folder).keep(NEEDS)

            there = files(folder)
            assert set(there) == set(files(tmp_path / "whole"))
            assert certificates.items() <= there.items()
            assert as_data(keeper(folder, given=True).keep(NEEDS)) == as_data(kept)

    @pytest.mark.parametrize("torn", [True, False], ids=["torn", "between"])
    def test_after_any_cut_of_a_growing_cluster_the_old_keep_theirs(self, tmp_path: Path, torn: bool) -> None:
        """Nodes were given things already, and the new ones get theirs all the same."""
        more = [
            *NEEDS,
            replace(KUBELET, name="kubelet/n2", common_name="system:node:n2"),
            Number("pod-subnet/n3", "pod-subnets", 4),
        ]
        for after in range(3):
            folder = tmp_path / f"cut-{after}"
            folder.mkdir()
            first = keeper(folder).keep(NEEDS)
            with pytest.raises(PowerCut):
                keeper(folder, given=True, write=cut_off(folder, after, torn=torn)).keep(more)

            grown = keeper(folder, given=True).keep(more)

            assert {name: grown.pairs[name] for name in first.pairs} == dict(first.pairs)
            assert grown.numbers == {"pod-subnet/n1": 0, "pod-subnet/n2": 1, "pod-subnet/n3": 2}
            assert not [name for name in files(folder) if name.endswith(".tmp")]

    def test_a_manifest_may_be_mended_after_a_cut(self, tmp_path: Path) -> None:
        """While nobody was given anything, a pair that no longer fits is made again."""
        with pytest.raises(PowerCut):
            keeper(tmp_path, write=cut_off(tmp_path, 4, torn=False)).keep(
                [CA, KUBELET, Random("r", "hex-32")]
            )
        mended: list[Need] = [CA, replace(KUBELET, dns=("n1", "new")), Random("r", "hex-32")]
        authority = (tmp_path / "pki/ca.crt").read_bytes()

        kept = keeper(tmp_path).keep(mended)

        assert kept.pairs["ca"].public == authority
        assert as_data(keeper(tmp_path, given=True).keep(mended)) == as_data(kept)

    def test_a_full_disk_is_a_problem_with_a_remedy_and_nothing_is_given(self, tmp_path: Path) -> None:
        """Durable before the first use, or no use."""
        with pytest.raises(Mk8sError, match="cannot be"):
            keeper(tmp_path / "missing").keep(NEEDS)


class TestLooking:
    """For those who only ask."""

    def test_where_nothing_is_kept_all_is_pretended_and_nothing_made(self, tmp_path: Path) -> None:
        """Questions can be put together all the same."""
        assert as_data(keeper(tmp_path / "none", given=True).look(NEEDS)) == as_data(pretend(NEEDS))
        assert not list(tmp_path.iterdir())

    def test_what_is_kept_is_given_and_only_the_rest_pretended(self, tmp_path: Path) -> None:
        """A node was added to the manifest, and no run has begun since."""
        kept = keeper(tmp_path).keep(NEEDS)
        before = files(tmp_path)
        new = replace(KUBELET, name="kubelet/n2", common_name="system:node:n2")

        seen = keeper(tmp_path, given=True).look([*NEEDS, new])

        assert as_data(
            Kept(seen.words, {n: p for n, p in seen.pairs.items() if n != "kubelet/n2"}, seen.numbers)
        ) == as_data(kept)
        assert seen.pairs["kubelet/n2"] == pretend([new]).pairs["kubelet/n2"]
        assert files(tmp_path) == before

    def test_what_cannot_be_trusted_is_refused_here_too(self, tmp_path: Path) -> None:
        """Looking believes no more than keeping."""
        keeper(tmp_path).keep(NEEDS)
        (tmp_path / "pki/ca.key").chmod(0o644)
        with pytest.raises(Mk8sError, match="is open to others"):
            keeper(tmp_path).look(NEEDS)


class TestExpiry:
    """Told in time."""

    def test_those_that_expire_soon_are_listed_first_the_first(self, tmp_path: Path) -> None:
        """Only certificates, and only those that are needed."""
        needs: list[Need] = [
            CA,
            replace(KUBELET, days=20),
            replace(KUBELET, name="b", days=10),
            replace(KUBELET, name="c"),
            KeyPair("sa"),
        ]
        keeper(tmp_path).keep(needs)

        found = keeper(tmp_path).expiring(needs, 30)

        assert found == [
            Expiring("b", NOW + timedelta(days=10)),
            Expiring("kubelet/n1", NOW + timedelta(days=20)),
        ]
        assert [one.name for one in keeper(tmp_path).expiring([CA, needs[1]], 30)] == ["kubelet/n1"]
        assert keeper(tmp_path).expiring(needs, 5) == []

    def test_it_is_the_certificate_on_the_disk_that_counts(self, tmp_path: Path) -> None:
        """One that was renewed by hand is not complained of."""
        kept = keeper(tmp_path).keep([CA, KUBELET])
        renewed = make_leaf(KUBELET, kept.pairs["ca"], NOW + timedelta(days=360), CHANCE)
        (tmp_path / "pki/kubelet/n1.crt").write_bytes(renewed.public)
        assert keeper(tmp_path, now=NOW + timedelta(days=360)).expiring([CA, KUBELET], 30) == []
        assert expiry_of(renewed.public) == NOW + timedelta(days=725)

    def test_where_nothing_is_kept_nothing_expires(self, tmp_path: Path) -> None:
        """And nothing is made."""
        assert keeper(tmp_path / "none").expiring(NEEDS, 9999) == []

    def test_the_notice_says_which_when_and_what_to_do(self) -> None:
        """In the present or in the past."""
        soon = [Expiring("a", NOW), Expiring("b", NOW + timedelta(days=1))]
        assert expiry_notice([], NOW) == ""
        text = expiry_notice(soon, NOW - timedelta(days=1))
        assert text.startswith("the certificate a expires on 2026-03-04 05:06 UTC; ")
        assert "2 (a, b)" in text
        assert "hint: " in text
        assert "the certificate a expired on" in expiry_notice(soon, NOW)
