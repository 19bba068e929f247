"""What all structs of a manifest stand on: the common ground, the words of a key, the usual types. Pure data.

Begin reading at `Form`.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Meta

__all__ = ["Arch", "Config", "Count", "Form", "Port", "says"]

Config: TypeAlias = str | dict[str, Any] | None
Arch: TypeAlias = Literal["amd64", "arm64"]
Port = Annotated[int, Meta(ge=1, le=65535)]
Count = Annotated[int, Meta(ge=1)]


def says(words: str, **more: Any) -> Meta:
    """The words that explain a key. Not a `description`: that one would say what a value must look like."""
    return Meta(title=words, **more)


class Form(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Common ground: immutable, by keyword, and no unknown key is ever ignored."""
