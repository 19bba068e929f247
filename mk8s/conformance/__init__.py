"""The rules that every distro driver keeps, as code: for our drivers, and for those of other people.

    subjects   sample clusters for a driver            stillness  rules that need no host
    lives      a driver's rollout on modelled hosts    motion     rules about what happens there
    durations  rules about how long that takes         rules      all of them, by name

A driver's own tests need five lines (docs/drivers.md):

    from mk8s.conformance import RULES, Subject
    SUBJECT = Subject(load_distro("mine"), "v1.33.4+mine1")

    @pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
    def test_the_driver_keeps_the_rule(rule):
        assert rule.broken_by(SUBJECT) == []

Without a test suite, ``mk8s tools check-driver NAME VERSION`` says the same. Begin reading at `rules`.
"""

from mk8s.conformance.rules import RULES, Rule
from mk8s.conformance.subjects import Subject

__all__ = ["RULES", "Rule", "Subject"]
