"""What a child is told so that it becomes a host."""

from __future__ import annotations

from mk8s.lab.boot import overlay_escape
from mk8s.lab.bootspec import BootSpec, CgroupMount
from mk8s.lab.recipe import parse_kernel_options


def test_a_spec_survives_the_command_line() -> None:
    cgroup = CgroupMount("/sys/fs/cgroup/cpu/mk8s-lab-x/1", "cpu", 1, "cpu")
    spec = BootSpec("node-1", "/labs/ä b/hosts/1", "/cache/tree", (cgroup,), None)
    assert BootSpec.from_json(spec.to_json()) == spec


def test_commas_and_colons_in_a_path_do_not_end_an_overlay_option() -> None:
    """The kernel separates options by commas and lower folders by colons."""
    assert overlay_escape("/a,b/c:d\\e") == "/a\\,b/c\\:d\\\\e"


def test_kernel_options_are_those_that_are_set() -> None:
    text = '# CONFIG_IP_VS is not set\nCONFIG_VETH=y\nCONFIG_TUN=m\nCONFIG_X="a=b"\n\n'
    assert parse_kernel_options(text) == {"VETH": "y", "TUN": "m", "X": '"a=b"'}
