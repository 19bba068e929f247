"""An air gap: what nodes would fetch from outside is told with its place; what is inside, never."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from mk8s.cluster import Cluster, Registries, RegistryAccess, RegistryMirror
from mk8s.preflight.base import ReleaseView, Scene
from mk8s.preflight.checks import findings, waiver_faults
from mk8s.registries.applied import fetched, whole_name
from mk8s.registries.egress import Egress, egress_faults, is_public
from mk8s.release import Inspection
from tests.mk8s.distros.situations import make_cluster, make_node
from tests.mk8s.registries.made import BUNKER, WITH_FALLBACK, with_mirror

POD = """\
kind: Pod
spec:
  initContainers:
  - image: {first}
  containers:
  - image: {second}
    imagePullPolicy: {policy}
"""
IMAGES = ("docker.io/library/busybox:1.35", "registry.k8s.io/pause:3.9")


def pod(
    first: str = "busybox:1.35", second: str = "registry.k8s.io/pause:3.9", policy: str = "IfNotPresent"
) -> str:
    return POD.format(first=first, second=second, policy=policy)


def applied(text: str, images: tuple[str, ...] | None = IMAGES, **more: Any) -> list[Egress]:
    cluster = replace(make_cluster(**more), distro="kubeadm")
    return egress_faults(cluster, [("app.yaml", text)], images)


def rke2(config: dict[str, Any], version: str = "v1.33.4+rke2r1", **more: Any) -> list[Egress]:
    node = make_node("srv-1", "primary", "10.0.0.11", config)
    return egress_faults(make_cluster(node, version=version, **more))


def test_a_cluster_that_may_reach_the_internet_is_not_judged() -> None:
    cluster = replace(make_cluster(registries=with_mirror("https://ghcr.io")), airgap=False)

    assert egress_faults(cluster, [("app.yaml", pod("nginx"))], ()) == []


@pytest.mark.parametrize("registries", [None, BUNKER, replace(BUNKER, default="mirror.bunker:5000")])
def test_sound_manifests_are_silent(registries: Registries | None) -> None:
    assert egress_faults(make_cluster(registries=registries), [("app.yaml", pod())], IMAGES) == []


@pytest.mark.parametrize(
    "host", ["ghcr.io", "registry-1.docker.io", "https://eu.gcr.io/v2/x", "docker.io:443"]
)
def test_a_mirror_in_the_internet_is_none(host: str) -> None:
    """With where it is written, and certain."""
    [found] = egress_faults(make_cluster(registries=with_mirror(host)))

    assert (found.where, found.certain) == ("registries.mirrors.docker.io.endpoints", True)


def test_a_default_registry_in_the_internet_is_told() -> None:
    [found] = egress_faults(make_cluster(registries=Registries(default="registry.rancher.com")))

    assert (found.where, found.certain) == ("registries.default", True)


def test_a_way_around_the_mirrors_is_told_where_it_stays_open() -> None:
    """By the manifest's own wish, and with releases that have no key to close it."""
    [wished] = egress_faults(make_cluster(registries=WITH_FALLBACK))
    [old] = rke2({}, "v1.26.12+rke2r1", registries=BUNKER)

    assert [wished.where, old.where] == ["registries.fallback", "version"]
    assert not wished.certain
    assert not old.certain


@pytest.mark.parametrize(
    ("config", "key", "certain"),
    [
        ({"system-default-registry": "registry.rancher.com"}, "system-default-registry", True),
        ({"system-default-registry": "reg.bunker:5000"}, "system-default-registry", False),
        ({"pause-image": "rancher/pause:3.6"}, "pause-image", True),
        ({"etcd-s3": True}, "etcd-s3-endpoint", True),
        ({"etcd-s3": True, "etcd-s3-endpoint": "s3.bunker"}, "etcd-s3-endpoint", False),
    ],
)
def test_settings_of_rke2_that_lead_outside_are_told(config: dict[str, Any], key: str, certain: bool) -> None:
    [found] = rke2(config)

    assert (found.where, found.certain) == (f"nodes.srv-1.config.{key}", certain)


@pytest.mark.parametrize(
    "config",
    [
        {"datastore-endpoint": "postgres://u:p@db.bunker/k"},
        {"system-default-registry": "10.0.0.11:5000"},
        {"system-default-registry": "mirror.bunker:5000"},
        {"etcd-s3": False, "etcd-s3-endpoint": "s3.amazonaws.com"},
        {"server": "https://elsewhere:9345", "tls-san": ["github.com"]},
    ],
)
def test_settings_that_fetch_nothing_or_lead_inside_are_not(config: dict[str, Any]) -> None:
    assert rke2(config, registries=BUNKER) == []


def test_what_many_nodes_have_alike_is_told_once() -> None:
    nodes = [
        make_node(f"srv-{n}", "server" if n else "primary", f"10.0.0.1{n}", {"etcd-s3": True})
        for n in range(3)
    ]

    assert len(egress_faults(make_cluster(*nodes))) == 1


def test_images_in_no_archive_are_told_together() -> None:
    """Those of the Internet for certain; of another registry nobody knows where it is."""
    [certain, perhaps] = applied(pod("nginx:1.27", "reg.bunker/app:1"))

    assert (certain.where, certain.what) == (
        "app.yaml",
        "images in no archive, for no mirror has them: nginx:1.27",
    )
    assert (certain.certain, perhaps.certain) == (True, False)
    assert perhaps.what.endswith("reg.bunker/app:1")


def test_images_that_a_mirror_or_a_registry_of_ones_own_has_are_fine() -> None:
    mirrored = Registries({"docker.io": RegistryMirror(("https://m",))}, {"reg.bunker": RegistryAccess("u")})

    assert applied(pod("nginx", "reg.bunker/app", "Always"), registries=mirrored) == []
    assert applied(pod("nginx", "ghcr.io/app:1", "Always"), registries=BUNKER) == []


@pytest.mark.parametrize("text", [pod("busybox:latest"), pod(policy="Always"), pod("busybox")])
def test_images_that_are_asked_for_at_every_start_are_told_though_an_archive_has_them(text: str) -> None:
    """Kubernetes' own rule: without a policy that is the tag latest."""
    [found] = applied(text, (*IMAGES, "docker.io/library/busybox:latest"))

    assert "asked for at every start" in found.what
    assert found.certain


def test_an_image_that_is_a_volume_is_fetched_too() -> None:
    [found] = applied(
        "{kind: Pod, spec: {volumes: [{image: {reference: 'quay.io/data:1'}}, {emptyDir: {}}]}}"
    )

    assert found.what.endswith(": quay.io/data:1")


def test_an_archive_that_cannot_be_read_makes_nothing_certain() -> None:
    [found] = applied(pod(), None)

    assert not found.certain
    assert "must be in an archive" in found.what


@pytest.mark.parametrize(
    ("text", "host", "certain"),
    [
        (
            "{kind: HelmChart, metadata: {name: a}, spec: {repo: 'https://x.github.io/c'}}",
            "x.github.io",
            True,
        ),
        ("{kind: HelmChart, spec: {chart: 'https://charts.bunker/c.tgz'}}", "charts.bunker", False),
        ("{kind: GitRepository, spec: {url: 'git@github.com:o/r.git'}}", "github.com", True),
        ("{kind: OCIRepository, spec: {url: 'oci://ghcr.io/o/r'}}", "ghcr.io", True),
        (
            "{kind: List, items: [{kind: Application, spec: {source: {repoURL: 'https://g.b/r'}}}]}",
            "g.b",
            False,
        ),
    ],
)
def test_charts_and_git_sources_are_told_by_their_host(text: str, host: str, certain: bool) -> None:
    [found] = applied(text)

    assert f"from {host}," in found.what
    assert found.certain is certain


@pytest.mark.parametrize(
    "text",
    [
        "{kind: HelmChart, spec: {repo: 'https://charts.web.svc', chart: own}}",
        "{kind: HelmChart, spec: {chart: 'https://%{KUBERNETES_API}%/static/charts/own.tgz'}}",
        "{kind: GitRepository, spec: {url: 'https://mirror.bunker/r.git'}}",
        "{kind: ConfigMap, data: {url: 'https://github.com', image: nginx}}",
        "{kind: CustomResourceDefinition, spec: {properties: {image: {type: string}, containers: {}}}}",
        "",
        "# nothing\n---\n---\n",
    ],
)
def test_services_of_the_cluster_and_mere_words_are_not(text: str) -> None:
    assert applied(text, registries=BUNKER) == []


def test_a_file_that_is_no_yaml_is_told_as_not_known() -> None:
    [found] = applied("{a: [")

    assert not found.certain
    assert "no YAML" in found.what


def test_a_file_of_aliases_is_walked_once() -> None:
    """Ten doublings thirty times over would never end."""
    lines = ["a0: &a0 [x]"] + [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 30)]

    assert fetched("\n".join(lines)) is not None


@pytest.mark.parametrize(
    ("name", "whole"),
    [
        ("busybox", "docker.io/library/busybox:latest"),
        ("org/app:1", "docker.io/org/app:1"),
        ("localhost/app", "localhost/app:latest"),
        ("reg:5000/app", "reg:5000/app:latest"),
        ("reg.x/app:1@sha256:00", "reg.x/app:1"),
        ("reg.x/app@sha256:00", "reg.x/app@sha256:00"),
    ],
)
def test_a_short_name_means_what_containerd_makes_of_it(name: str, whole: str) -> None:
    assert whole_name(name) == whole


def test_names_that_only_look_public_are_not() -> None:
    assert not any(map(is_public, ("ghcr.io.bunker", "notdocker.io", "10.0.0.1:5000", "[fd00::1]:5000", "")))


def scene_of(cluster: Cluster) -> Scene:
    return Scene(
        cluster, release=ReleaseView(Inspection({}, 3), IMAGES, applied=(("app.yaml", pod("nginx")),))
    )


def test_preflight_refuses_what_is_certain_unless_it_is_waived() -> None:
    """The check is called egress."""
    cluster = replace(make_cluster(), distro="kubeadm")
    waived = replace(cluster, waived=frozenset({"egress"}))
    told = [
        [found for found in findings(scene_of(of)) if found.check == "egress"] for of in (cluster, waived)
    ]

    assert [[found.refuses for found in of] for of in told] == [[True], [False]]
    assert told[0][0].message.startswith("app.yaml: ")
    assert waiver_faults(["egress"]) == []
