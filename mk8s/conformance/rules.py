"""All rules by name, in the order in which a broken one explains those after it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeAlias

from mk8s.conformance import durations, motion, stillness
from mk8s.conformance.subjects import Subject

__all__ = ["RULES", "Rule"]

Broken: TypeAlias = Callable[[Subject], Iterator[str]]
TOLD = 20  # complaints of one rule; the rest most likely repeat them


@dataclass(frozen=True, slots=True)
class Rule:
    """One promise of a driver."""

    name: str
    title: str
    check: Broken

    def broken_by(self, subject: Subject) -> list[str]:
        """What breaks it, in words; empty where it is kept. What the driver raises breaks it, too."""
        try:
            found = [line for line, _ in zip(self.check(subject), range(TOLD), strict=False)]
        except Exception as error:
            return [f"raises {type(error).__name__}: {error}"]
        return list(dict.fromkeys(found))


def _rule(check: Broken) -> Rule:
    title = (check.__doc__ or "").strip().splitlines()[0]
    return Rule(check.__name__.replace("_", "-"), title, check)


RULES: tuple[Rule, ...] = tuple(
    _rule(check)
    for check in (
        stillness.name,
        stillness.sound_clusters,
        stillness.wrong_version,
        stillness.fault_form,
        stillness.artifacts,
        stillness.same_input,
        stillness.spoken_steps,
        stillness.files_first,
        stillness.hidden_secrets,
        stillness.private_files,
        stillness.requirements,
        stillness.pacing,
        stillness.harmless_words,
        stillness.odd_answers,
        stillness.lookups,
        durations.modelled_commands,
        motion.becomes_healthy,
        durations.declared_durations,
        durations.shown_phases,
        motion.one_journal,
        motion.questions_tell,
        motion.questions_change_nothing,
        motion.repeated_steps,
        motion.starts_in_time,
        motion.joined_when_done,
        motion.agents_serve_nothing,
        motion.stop_can_be_repeated,
        motion.conditions,
        motion.kubeconfig,
        motion.survives_faults,
    )
)
