"""What each type of a form accepts, what it is called in messages, and what a wrong value hints at.

Pure functions over `msgspec.inspect` types; `forms` walks with them.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Any

from msgspec import inspect as mi

from machines.documents import Value
from machines.words import did_you_mean, shown

__all__ = ["called", "fits", "hint_for", "may_be", "pattern", "unit_of"]

_NUMBER = re.compile(r"[+-]?[0-9]{1,18}(\.[0-9]{1,18})?")
_MEANT = {"yes": "true", "on": "true", "true": "true", "no": "false", "off": "false", "false": "false"}


def fits(info: mi.Type, value: Value, *, exactly: bool = False) -> bool:
    """Whether this kind of value can be read as the type; `exactly`: without being converted."""
    if isinstance(info, mi.LiteralType):
        return any(choice == value and type(choice) is type(value) for choice in info.values)
    if isinstance(info, mi.EnumType):
        return any(member.value == value for member in info.cls)
    if isinstance(value, bool):
        return isinstance(info, mi.BoolType | mi.AnyType)
    if isinstance(value, str):
        number = isinstance(info, mi.FloatType) and not exactly and _NUMBER.fullmatch(value) is not None
        return number or isinstance(info, mi.StrType | mi.AnyType)
    if isinstance(value, int):
        converted = isinstance(info, mi.StrType | mi.FloatType) and not exactly
        return converted or isinstance(info, mi.IntType | mi.AnyType)
    if isinstance(value, list):
        return isinstance(info, mi.ListType | mi.VarTupleType | mi.SetType | mi.FrozenSetType | mi.AnyType)
    if isinstance(value, dict):
        return isinstance(info, mi.StructType | mi.DictType | mi.AnyType)
    return isinstance(info, mi.NoneType | mi.AnyType)


def may_be(info: mi.Type, value: Value, *, exactly: bool) -> bool:
    """Whether this member of a union can be meant. One with a unit, or with choices, takes any scalar."""
    scalar = value is not None and not isinstance(value, dict | list)
    if unit_of(info) is not None:
        return scalar
    if isinstance(info, mi.Metadata):
        return may_be(info.type, value, exactly=exactly)
    if isinstance(info, mi.LiteralType | mi.EnumType):
        return scalar
    return fits(info, value, exactly=exactly)


def unit_of(info: mi.Type) -> str | None:
    """The unit of a type such as ``Annotated[float, Meta(extra={"unit": "duration"})]``."""
    unit = (info.extra or {}).get("unit") if isinstance(info, mi.Metadata) else None
    return str(unit) if unit is not None else None


def called(info: mi.Type) -> str:
    """The type in the words of a message."""
    if isinstance(info, mi.Metadata):
        described = (info.extra_json_schema or {}).get("description")
        return str((unit_of(info) and f"a {unit_of(info)}") or described or called(info.type))
    if isinstance(info, mi.UnionType):
        return " or ".join(called(member) for member in info.types if not isinstance(member, mi.NoneType))
    if isinstance(info, mi.LiteralType):
        return _one_of(info.values)
    if isinstance(info, mi.EnumType):
        return _one_of(member.value for member in info.cls)
    if type(info) in _NAMES:
        return _NAMES[type(info)]
    raise TypeError(f"a form cannot hold {info}: no document can say it")


_NAMES: dict[type[mi.Type], str] = {
    mi.StrType: "text",
    mi.IntType: "a whole number",
    mi.FloatType: "a number",
    mi.BoolType: "true or false",
    mi.NoneType: "nothing",
    mi.AnyType: "anything",
    mi.ListType: "a list",
    mi.VarTupleType: "a list",
    mi.SetType: "a list",
    mi.FrozenSetType: "a list",
    mi.StructType: "a mapping",
    mi.DictType: "a mapping",
}


def hint_for(info: mi.Type, value: Value) -> str:
    """What to do about a value of the wrong kind, where that can be known."""
    if isinstance(info, mi.UnionType):
        hints = [hint_for(member, value) for member in info.types if not isinstance(member, mi.NoneType)]
        return next((hint for hint in hints if hint), "")
    if isinstance(info, mi.Metadata):
        return hint_for(info.type, value)
    if value is None:
        return "write {}" if isinstance(info, mi.StructType) else "write a value, or remove the key"
    if isinstance(info, mi.LiteralType | mi.EnumType):
        return _hint_of_choices(info, value)
    return _hint_of_kind(info, value)


def _hint_of_kind(info: mi.Type, value: Value) -> str:
    if isinstance(info, mi.BoolType) and isinstance(value, str) and value.lower() in _MEANT:
        return f"write {_MEANT[value.lower()]}, without quotes"
    if isinstance(info, mi.StrType) and isinstance(value, bool):
        return f'put it in quotes: "{shown(value)}"'
    if isinstance(info, mi.IntType) and isinstance(value, str) and value.strip().isdecimal():
        return f"write {int(value[:18])}: plain digits, without quotes"
    if called(info) == "a list" and isinstance(value, str | int):
        return f"write it in brackets: [{value}]"
    return ""


def _hint_of_choices(info: mi.LiteralType | mi.EnumType, value: Value) -> str:
    choices = info.values if isinstance(info, mi.LiteralType) else [member.value for member in info.cls]
    return did_you_mean(value, map(str, choices)) if isinstance(value, str) else ""


def _one_of(choices: Any) -> str:
    return "one of " + ", ".join(sorted(map(str, choices)))


@lru_cache(maxsize=256)
def pattern(text: str) -> re.Pattern[str]:
    """A pattern whose final ``$`` means the end: Python's would let a last newline through."""
    return re.compile(text.removesuffix("$") + r"\Z" if text.endswith("$") else text)
