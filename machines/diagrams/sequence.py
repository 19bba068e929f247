"""A recorded run as a sequence diagram, in mermaid or plantuml."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from machines.diagrams.mermaid import mermaid_text
from machines.diagrams.plantuml import plantuml_text
from machines.diagrams.story import Message, Note, Story

__all__ = ["mermaid_sequence", "plantuml_sequence"]

OPERATOR = "operator"
_MERMAID = {"begin": "O->>{who}", "done": "{who}-->>O", "failed": "{who}--xO"}
_PLANTUML = {"begin": "O -> {who}", "done": "{who} --> O", "failed": "{who} -[#b3261e]-> O"}


def mermaid_sequence(story: Story) -> str:
    """The story as a mermaid `sequenceDiagram`."""
    head = ["sequenceDiagram", f"  participant O as {OPERATOR}"]
    ids = _ids(story)
    head += [f"  participant {ids[n]} as {mermaid_text((label,))}" for n, label in story.participants.items()]
    events = _events(story, _MERMAID, lambda over: f"Note over {over}", lambda text: mermaid_text((text,)))
    return "\n".join([*head, *(f"  {line}" for line in events)]) + "\n"


def plantuml_sequence(story: Story) -> str:
    """The story as a plantuml sequence diagram."""
    ids = _ids(story)
    head = ["@startuml", f"participant {OPERATOR} as O"]
    head += [
        f'participant "{plantuml_text((label,))}" as {ids[n]}' for n, label in story.participants.items()
    ]
    events = _events(story, _PLANTUML, lambda over: f"note over {over}", lambda text: plantuml_text((text,)))
    return "\n".join([*head, *events, "@enduml"]) + "\n"


def _ids(story: Story) -> dict[str, str]:
    """Both languages have words of their own: participants are numbered."""
    return {name: f"p{number}" for number, name in enumerate(story.participants)}


def _events(
    story: Story, arrows: dict[str, str], over: Callable[[str], str], text: Callable[[str], str]
) -> Iterator[str]:
    ids = _ids(story)
    everyone = ",".join(["O", *list(ids.values())[-1:]])
    for event in story.events:
        match event:
            case Message(who=who, kind=kind):
                yield f"{arrows[kind].format(who=ids[who])}: {text(event.text)}"
            case Note(who=who):
                yield f"{over(ids[who] if who else everyone)}: {text(event.text)}"
