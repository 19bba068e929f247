"""The flags that verbs with predictions share: which source wins, and what is written."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import pytest

from mk8s.cli.common import add_manifest
from mk8s.cli.forecasting import add_forecasting, profile_of
from mk8s.errors import Mk8sError
from mk8s.forecast.files import read_profile
from mk8s.forecast.profile import DEFAULTS, Profile
from mk8s.project import load_project
from transports.simulated import Span

MANIFEST = """distro: rke2
version: v1.33.4+rke2r1
{extra}nodes:
  - {{address: 10.0.0.1, role: server, primary: true}}
"""
FILE = '{"links": {"uplink": 5000000}, "durations": {"rke2.start": {"low": 1, "high": 2}}}'


def said(folder: Path, *words: str, extra: str = "") -> Profile:
    """What these words and a manifest with that in it come to."""
    manifest = folder / "cluster.yaml"
    manifest.write_text(MANIFEST.format(extra=extra))
    parser = ArgumentParser()
    add_manifest(parser)
    add_forecasting(parser)
    return profile_of(parser.parse_args([str(manifest), *words]), load_project(manifest))


def test_without_any_word_the_models_defaults_hold(tmp_path: Path) -> None:
    """No file is looked for."""
    assert said(tmp_path) == DEFAULTS


def test_a_profile_file_is_laid_over_the_defaults(tmp_path: Path) -> None:
    """Name by name."""
    (tmp_path / "p.json").write_text(FILE)
    found = said(tmp_path, "--profile", str(tmp_path / "p.json"))

    assert (found.durations, found.links.uplink) == ({"rke2.start": Span(1, 2)}, 5e6)


def test_the_manifest_wins_over_a_profile_file(tmp_path: Path) -> None:
    """It is nearer to the cluster."""
    (tmp_path / "p.json").write_text(FILE)
    extra = "simulation: {uplink: 9MB/s, durations: {rke2.unpack: 7s}}\n"
    found = said(tmp_path, "--profile", str(tmp_path / "p.json"), extra=extra)

    assert found.links.uplink == 9e6
    assert found.durations == {"rke2.start": Span(1, 2), "rke2.unpack": Span(7, 7)}
    over = f"{tmp_path}/p.json; over that given in {tmp_path}/cluster.yaml"
    assert found.source == f"the models' defaults; over that {over}"


def test_learning_from_a_cluster_that_was_never_run_says_what_is_missing(tmp_path: Path) -> None:
    """--learn alone means this cluster's own state folder."""
    with pytest.raises(Mk8sError, match=r"\.mk8s/cluster is not the state folder of an earlier run"):
        said(tmp_path, "--learn")


def test_what_is_used_is_written_whole_and_can_be_read_again(tmp_path: Path) -> None:
    """Also what only the models declare: so every name that may be changed stands there."""
    saved = tmp_path / "saved.json"
    found = said(tmp_path, "--save-profile", str(saved), extra="simulation: {latency: 40ms}\n")
    read = read_profile(saved)

    assert read.latency == found.links.latency == 0.04
    assert {"rke2:server-first-start", "rke2.unpack"} <= read.durations.keys()


def test_a_duration_in_the_manifest_that_no_model_knows_is_refused(tmp_path: Path) -> None:
    """With what was meant."""
    with pytest.raises(Mk8sError, match=r"did you mean 'rke2\.unpack'"):
        said(tmp_path, extra="simulation: {durations: {rke2.unpak: 7s}}\n")


def test_what_was_saved_says_whose_each_number_is(tmp_path: Path) -> None:
    """What the models say is not given for standing in a file; what the manifest gave is, by its name."""
    saved = tmp_path / "saved.json"
    said(tmp_path, "--save-profile", str(saved), extra="simulation: {durations: {rke2.unpack: 7s}}\n")
    read = read_profile(saved)

    assert (read.origin_of("rke2.start").models, read.origin_of("uplink").models) == (True, True)
    given = read.origin_of("rke2.unpack")
    assert given.source == f"given in {tmp_path}/cluster.yaml, kept in {saved}"
