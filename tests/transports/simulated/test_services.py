"""Services of a modelled host: their lives, failures, restarts and what a reboot does to them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import PurePosixPath

import anyio
import pytest

from transports.simulated import Profile, ServiceFailed, ServiceModel, SimulatedHost, SimulatedService

pytestmark = pytest.mark.anyio

UNIT = PurePosixPath("/etc/systemd/system/db.service")


def slow(_host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
    service.log("starting")
    yield 10.0
    service.ready()


def hopeless(_host: SimulatedHost, _service: SimulatedService) -> Iterator[float]:
    yield 1.0
    raise ServiceFailed("no configuration")


def host_with(model: ServiceModel) -> tuple[SimulatedHost, SimulatedService]:
    host = SimulatedHost("a", "10.0.0.1", profile=Profile(boot_seconds=30.0))
    host.disk.write(UNIT, b"[Service]\n")
    host.service_models["db.service"] = model
    service = host.service("db")
    assert service is not None
    return host, service


async def test_a_service_is_activating_until_its_life_says_ready() -> None:
    """Type=notify: active means READY=1, not that the process runs."""
    host, service = host_with(ServiceModel(slow))

    service.start()
    seen = [(service.state, service.sub)]
    await anyio.sleep(9.9)
    host.timeline.catch_up()
    seen.append((service.state, service.sub))
    await anyio.sleep(0.2)
    host.timeline.catch_up()
    seen.append((service.state, service.sub))

    assert seen == [("activating", "start"), ("activating", "start"), ("active", "running")]


async def test_lives_do_not_depend_on_how_often_they_are_looked_at() -> None:
    """A failure at 1 s and a restart after 5 s make one restart each 6 s, seen or not."""
    often, watched = host_with(ServiceModel(hopeless, restart_after=5.0))
    seldom, alone = host_with(ServiceModel(hopeless, restart_after=5.0))

    watched.start()
    alone.start()
    for _ in range(61):
        await anyio.sleep(1.0)
        often.timeline.catch_up()
    seldom.timeline.catch_up()

    assert (watched.restarts, watched.journal) == (alone.restarts, alone.journal)
    assert alone.restarts == 10


async def test_a_failed_service_waits_for_its_restart() -> None:
    """A crash loop shows as activating (auto-restart) with a growing counter."""
    host, service = host_with(ServiceModel(hopeless, restart_after=5.0))

    service.start()
    await anyio.sleep(2.0)
    host.timeline.catch_up()

    assert (service.state, service.sub, service.result) == ("activating", "auto-restart", "exit-code")
    assert service.journal == ["no configuration"]


async def test_without_a_restart_a_failure_is_the_end() -> None:
    """Restart=no: the unit is failed and stays so."""
    host, service = host_with(ServiceModel(hopeless))

    service.start()
    await anyio.sleep(100.0)
    host.timeline.catch_up()

    assert (service.state, service.result, service.starts) == ("failed", "exit-code", 1)


async def test_a_stopped_service_is_not_restarted() -> None:
    """What was planned for it is taken back."""
    host, service = host_with(ServiceModel(hopeless, restart_after=5.0))

    service.start()
    await anyio.sleep(2.0)
    host.timeline.catch_up()
    service.stop()
    await anyio.sleep(100.0)
    host.timeline.catch_up()

    assert (service.state, service.pid, service.starts) == ("inactive", 0, 1)


async def test_a_service_that_is_already_starting_is_left_alone() -> None:
    """`systemctl start` twice begins one process."""
    _, service = host_with(ServiceModel(slow))

    service.start()
    service.start()

    assert service.starts == 1


@pytest.mark.parametrize(("enabled", "state"), [(True, "active"), (False, "inactive")])
async def test_after_a_reboot_the_enabled_services_start(enabled: bool, state: str) -> None:
    """The others stay as a boot leaves them: inactive."""
    host, service = host_with(ServiceModel(slow))
    service.enabled = enabled
    service.start()
    await anyio.sleep(20.0)

    host.reboot()
    was = service.state
    await anyio.sleep(30.0 + 10.1)

    assert (was, host.up, service.state) == ("inactive", True, state)


async def test_a_model_hears_that_its_process_is_gone() -> None:
    """Stopped or killed by a power loss: whoever counts members learns of it."""
    gone: list[str] = []
    host, service = host_with(ServiceModel(slow, gone=lambda host, service: gone.append(service.name)))

    service.start()
    host.power_off()
    host.power_off()

    assert gone == ["db.service"]


async def test_a_life_may_end_its_own_host() -> None:
    """A model that reboots its host from inside is not played any further."""

    def suicidal(host: SimulatedHost, service: SimulatedService) -> Iterator[float]:
        yield 1.0
        host.reboot()
        yield 1.0
        service.ready()

    host, service = host_with(ServiceModel(suicidal))
    service.start()
    await anyio.sleep(5.0)
    host.timeline.catch_up()

    assert (service.state, host.booting) == ("inactive", True)


async def test_a_unit_without_a_file_is_not_found() -> None:
    """systemd knows what has a unit file, nothing else."""
    assert SimulatedHost("a", "10.0.0.1").service("db") is None


async def test_a_reload_forgets_units_whose_file_is_gone() -> None:
    """One that still runs is remembered until it stops."""
    host, service = host_with(ServiceModel())
    service.start()
    host.disk.remove(UNIT)
    host.daemon_reload()
    while_running = host.service("db")
    service.stop()
    host.daemon_reload()

    assert while_running is service
    assert host.service("db") is None
