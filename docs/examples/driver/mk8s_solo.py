"""A driver for "solo", a made-up distro of one program: `solo server`, `solo agent`, `solo ready`."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import PurePosixPath

from mk8s import unit_models, units
from mk8s.cluster import Cluster, Node
from mk8s.commands import make_folder, unit_enable, unit_is_enabled
from mk8s.distros.base import ArtifactItem, Distro, Origin, Question, Situation, Tools
from mk8s.distros.plain import PlainDriver, as_wait
from mk8s.problems import Catalogue
from mk8s.steps import Run, Step, Upload, WriteFile
from transports.base import Command, Outcome
from transports.simulated import ServiceModel, SimulatedHost, SimulatedNetwork, SimulatedService, Span

SITE = "https://solo.example.org/releases"
PROGRAM = PurePosixPath("/usr/local/bin/solo")
TOKEN = PurePosixPath("/etc/solo/token")
ADMIN = PurePosixPath("/etc/solo/admin.conf")
UNIT_FILE = PurePosixPath("/etc/systemd/system/solo.service")
UNIT = """\
[Service]
ExecStart={} --token-file {}
Restart=always
[Install]
WantedBy=multi-user.target
"""
DURATIONS = {**unit_models.UNIT_DURATIONS, "solo.ready": Span(0.05, 0.2), "solo:start": Span(15, 25)}
KUBECONFIG = b'kind: Config\nclusters:\n- {name: s, cluster: {server: "https://127.0.0.1:6443"}}\n'


class Solo(PlainDriver):
    name, unit = "solo", "solo.service"

    def faults(self, cluster: Cluster) -> list[str]:
        if re.fullmatch(r"v1\.\d+\.\d+\+solo\d+", cluster.version):
            return []
        return [f"version: {cluster.version!r} is no release of solo; write one such as v1.33.4+solo1"]

    def artifacts(self, cluster: Cluster) -> list[ArtifactItem]:
        url = f"{SITE}/{cluster.version}/solo"
        origin = Origin(url, f"{url}.sha256", destination=str(PROGRAM))
        everyone = frozenset({"primary", "server", "agent"})
        return [ArtifactItem("binary", "solo", "solo itself", True, everyone, True, origin)]

    def stage(self, s: Situation) -> list[Step]:
        return [Upload("put solo on the node", s.release["binary"], PROGRAM, mode=0o755)]

    def bootstrap(self, s: Situation) -> list[Step]:
        words = f"{PROGRAM} {'server' if s.node.is_server else 'agent'}"
        if s.node.role != "primary":
            words += f" --join https://{s.cluster.endpoint or s.cluster.primary.ip}:6443"
        return [
            Run("make the folder", make_folder(TOKEN.parent)),
            WriteFile("write the token", TOKEN, s.token.encode(), mode=0o600, secret=True),
            WriteFile("write the unit", UNIT_FILE, UNIT.format(words, TOKEN).encode()),
        ]

    def start(self, s: Situation) -> list[Step]:
        files = (PROGRAM, UNIT_FILE, TOKEN)
        return [
            Run("start solo", units.run_unit(self.unit, files), units.unit_runs(self.unit, files)),
            Run("enable solo", unit_enable(self.unit), unit_is_enabled(self.unit)),
            *map(as_wait, self.is_healthy(s)),
        ]

    def is_healthy(self, s: Situation) -> list[Question]:
        ask = units.ask_unit_and("solo.ready", "ask solo", self.unit, str(PROGRAM), "ready")
        return [Question("solo is ready", ask, units.answers(Catalogue(()), "ok"))]

    def tools(self, node: Node, cluster: Cluster) -> Tools:
        return Tools(kubectl=(str(PROGRAM), "kubectl"))

    def kubeconfig(self, cluster: Cluster) -> PurePosixPath:
        return ADMIN

    def model(self, host: SimulatedHost, network: SimulatedNetwork, cluster: Cluster) -> None:
        network.pace.declare(DURATIONS)
        host.use({**unit_models.UNIT_HANDLERS, "solo.ready": ready})
        host.service_models[self.unit] = ServiceModel(life, restart_after=5.0)


def life(host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
    yield host.seconds("solo:start")
    host.disk.write(ADMIN, KUBECONFIG, mode=0o600)
    service.ready()


async def ready(host: SimulatedHost, command: Command) -> Outcome:
    service = host.service(command.args[0])
    up = service is not None and service.state == "active"
    return unit_models.answer_with_state(host, command, Outcome(status=not up, stdout=b"ok" * up))


DISTRO: Distro = Solo()
