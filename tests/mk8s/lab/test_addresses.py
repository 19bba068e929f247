"""Names and numbers of a lab's hosts."""

from __future__ import annotations

from ipaddress import IPv4Network

import pytest

from mk8s.lab.addresses import LabHost, Layout, overlap, parse_subnet
from mk8s.lab.errors import UnfitError

LAYOUT = Layout("lab", "node-", IPv4Network("10.77.0.0/24"))


def test_hosts_are_numbered_from_one_and_addressed_from_eleven() -> None:
    """.1 is the machine itself; .2 to .10 stay free for what a test wants to add."""
    assert LAYOUT.hosts(2) == [LabHost(1, "node-1", "10.77.0.11"), LabHost(2, "node-2", "10.77.0.12")]
    assert LAYOUT.gateway == "10.77.0.1"


def test_a_mac_follows_from_the_address_and_is_locally_administered() -> None:
    """Neighbours keep finding a host that was powered off and on."""
    assert LAYOUT.mac(1) == "02:07:0a:4d:00:0b"


@pytest.mark.parametrize(("bits", "room"), [(24, 244), (28, 4), (29, 0), (31, 0)])
def test_a_subnet_has_room_for_what_lies_below_its_broadcast_address(bits: int, room: int) -> None:
    """The first ten addresses and the last one are not for hosts."""
    assert Layout("lab", "node-", IPv4Network(f"10.77.0.0/{bits}")).room == room


@pytest.mark.parametrize("count", [0, -1, 245])
def test_a_number_of_hosts_that_does_not_fit_is_refused(count: int) -> None:
    """The message says how many would."""
    with pytest.raises(UnfitError, match="room for 1 to 244"):
        LAYOUT.hosts(count)


def test_interface_names_fit_into_what_the_kernel_allows() -> None:
    """15 letters, for the longest name and the highest number."""
    longest = Layout("abcdefgh", "node-", IPv4Network("10.0.0.0/16"))
    assert len(longest.link(longest.room)) <= 15
    assert len(longest.bridge) <= 15


@pytest.mark.parametrize("name", ["", "Lab", "1lab", "my-lab", "ninechars", "a/b", "a b", "läb"])
def test_a_name_that_could_not_begin_an_interface_name_is_refused(name: str) -> None:
    with pytest.raises(UnfitError, match="no name for a lab"):
        Layout(name, "node-", LAYOUT.subnet)


@pytest.mark.parametrize("prefix", ["", "-", "Node", "a.b", "x" * 41, "a;b"])
def test_a_prefix_that_could_not_begin_a_host_name_is_refused(prefix: str) -> None:
    with pytest.raises(UnfitError, match="no beginning of a host name"):
        Layout("lab", prefix, LAYOUT.subnet)


@pytest.mark.parametrize(
    ("interface", "ours"),
    [("lab-br", True), ("lab-12", True), ("lab2-br", False), ("lab-x", False), ("eth0", False)],
)
def test_only_interfaces_with_the_labs_own_names_are_its_own(interface: str, ours: bool) -> None:
    """`down` removes interfaces by name, so it must never take another's."""
    assert LAYOUT.is_link(interface) is ours


@pytest.mark.parametrize("text", ["10.77.0.1/24", "10.77.0.0/33", "net", "fd00::/64"])
def test_what_is_no_ipv4_subnet_is_refused(text: str) -> None:
    with pytest.raises(UnfitError, match="no IPv4 subnet"):
        parse_subnet(text)


def test_an_overlap_names_the_interface_that_is_in_the_way() -> None:
    """Whoever reads it must know which of the machine's networks to keep clear of."""
    taken = [("lo", "127.0.0.1/8"), ("eth0", "10.77.0.200/16")]
    assert overlap(LAYOUT.subnet, taken) == "10.77.0.200/16 of eth0"
    assert overlap(LAYOUT.subnet, taken[:1]) is None
