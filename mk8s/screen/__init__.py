"""What a person or a program sees of a run: live on a terminal, plain lines, or JSON events."""

from mk8s.screen.base import Screen
from mk8s.screen.choice import choose_screen
from mk8s.screen.events import EventScreen, result_event
from mk8s.screen.plain import PlainScreen

__all__ = ["EventScreen", "PlainScreen", "Screen", "choose_screen", "result_event"]
