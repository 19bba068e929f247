"""A tea round: the host boils water, guests pour one by one. Stop it at any moment and run it again."""

import sys
from pathlib import Path
from typing import NamedTuple

import trio

from machines import ActionError, FileJournal, Registry, Supervisor, Table, parse_machine, run_with_signals

TEA = """
{machine: tea, version: 1, initial: thirsty,
 states: {thirsty: {}, happy: {outcome: success}, grumpy: {outcome: failure}},
 signals: {water-boils: {role: [host], state: happy}},
 limits: {teapot: 1},
 edges: [
  {name: boil, from: thirsty, to: happy, guard: [is_host], do: boil, timeout: 5m,
   catch: [{match: ['*'], to: grumpy}]},
  {name: pour, from: thirsty, to: happy, guard: ['!is_host'], signal: water-boils, do: pour, limit: teapot,
   timeout: 10s, retry: [{match: [spilt], attempts: 3, delay: 20ms}], catch: [{match: ['*'], to: grumpy}]}]}
"""
registry = Registry()
registry.guard("is_host")(lambda guest: guest.role == "host")


class Guest(NamedTuple):
    name: str
    role: str = "guest"


@registry.action("boil")
async def boil(_context):
    await trio.sleep(0.05)
    return {"degrees": 100}  # evidence: the journal keeps it


@registry.action("pour")
async def pour(context):
    if context.member.name == "bob" and context.attempt == 1:
        raise ActionError("spilt", message="over the table")


table = Table(parse_machine(TEA, "tea.yaml", registry), registry.guards)
guests = [Guest("ada", "host"), Guest("bob"), Guest("cleo")]


async def main(folder):
    return await run_with_signals(Supervisor(table, registry, guests, FileJournal(folder)))


if __name__ == "__main__":
    print(dict(trio.run(main, Path(sys.argv[1])).states))
