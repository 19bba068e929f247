"""A document against its form: msgspec structs say what may be written, every deviation is told.

msgspec itself stops at the first mistake and knows no lines. This reader walks the same types
(`msgspec.inspect`) over a `Document` and collects all faults with position, path and hint.

What a type accepts, beyond the obvious:

* text: also a plain whole number (``7`` is ``"7"``: nothing is lost). Never ``true`` or nothing;
* float: a whole number, or decimal text such as ``1.5`` (documents know no floats);
* a type with a unit, ``Annotated[..., Meta(extra={"unit": "duration"})]``: what the hook of that
  unit accepts. A program passes hooks of its own in `scalars`;
* ``Meta(description=...)`` says in messages what is expected instead of the pattern.

It knows structs, lists, sets, tuples of one type, mappings with text keys, literals, enums and
unions; a union's members are told apart by the kind of value, and tried in order where that is
not enough. Any other type in a form is a mistake of the programmer: TypeError.

Begin reading at `read_form`, then `_Reader.read`.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Hashable, Mapping
from functools import lru_cache
from typing import Any, Final, TypeAlias, TypeVar

from msgspec import inspect as mi

from machines.documents import Document, Path, Value, show_path
from machines.errors import Fault
from machines.formtypes import called, fits, hint_for, may_be, pattern, unit_of
from machines.words import did_you_mean, known_as, nearest, shown

__all__ = ["SCALARS", "Hook", "duration", "read_form"]

T = TypeVar("T")
Hook: TypeAlias = Callable[[Value], object]
"""Turns a plain value into a typed one, or raises ValueError that says what is expected."""


class _Bad:
    """Stands where a value could not be read; its faults are told already."""


_BAD: Final = _Bad()
_DURATION = re.compile(r"([0-9]{1,9}(?:\.[0-9]{1,6})?)(ms|s|m|h|d)")
_UNITS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0}
_COLLECTIONS: dict[type[mi.Type], Callable[[list[Any]], Any]] = {
    mi.ListType: list,
    mi.VarTupleType: tuple,
    mi.SetType: set,
    mi.FrozenSetType: frozenset,
}


def duration(value: Value) -> float:
    """Seconds from ``500ms 10s 1.5m 2h 1d`` or a whole number of seconds; never negative."""
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return float(value)
    found = _DURATION.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError("a duration such as 500ms, 10s, 5m, 2h or 1d")
    return float(found[1]) * _UNITS[found[2]]


SCALARS: Mapping[str, Hook] = {"duration": duration}


def read_form(
    document: Document, form: type[T], *, path: Path = (), scalars: Mapping[str, Hook] = SCALARS
) -> tuple[T | None, list[Fault]]:
    """Read the part of a document at `path` as `form`; None and every fault, in order, when it is not one.

    Raises LookupError when the document has nothing at `path`, TypeError for a form that holds a
    type which no document can say.
    """
    key: Any = form  # a type is hashable, which mypy does not know of type[T]
    value: Any = document.value
    for part in path:
        value = value[part]
    reader = _Reader(document, scalars)
    result = reader.read(_info(key), value, path)
    if reader.faults:
        return None, sorted(reader.faults, key=lambda fault: (fault.line, fault.column))
    return result, []


@lru_cache(maxsize=256)
def _info(form: Hashable) -> mi.Type:
    return mi.type_info(form)


class _Reader:
    """One walk over a document; `faults` fills on the way."""

    def __init__(self, document: Document, scalars: Mapping[str, Hook]) -> None:
        self.document = document
        self.scalars = scalars
        self.faults: list[Fault] = []

    def read(self, info: mi.Type, value: Value, path: Path, description: str = "") -> Any:
        """The typed value, or _BAD after telling why not."""
        if isinstance(info, mi.Metadata):
            return self._metadata(info, value, path)
        if isinstance(info, mi.UnionType):
            return self._union(info, value, path)
        if not fits(info, value):
            return self._unexpected(description or called(info), value, path, hint_for(info, value))
        if isinstance(info, mi.StructType):
            return self._struct(info, value, path)
        if isinstance(info, mi.DictType):
            return self._mapping(info, value, path)
        if isinstance(info, mi.ListType | mi.VarTupleType | mi.SetType | mi.FrozenSetType):
            return self._collection(info, value, path)
        return self._scalar(info, value, path, description)

    def _metadata(self, info: mi.Metadata, value: Value, path: Path) -> Any:
        unit = unit_of(info)
        if unit is None:
            description = (info.extra_json_schema or {}).get("description", "")
            return self.read(info.type, value, path, description)
        if unit not in self.scalars:
            raise TypeError(f"no hook is given for the unit {unit!r} of {show_path(path)}")
        try:
            return self.scalars[unit](value)
        except ValueError as error:
            return self._unexpected(str(error), value, path)

    def _union(self, info: mi.UnionType, value: Value, path: Path) -> Any:
        exact = [member for member in info.types if may_be(member, value, exactly=True)]
        fitting = exact or [member for member in info.types if may_be(member, value, exactly=False)]
        if not fitting:
            return self._unexpected(called(info), value, path, hint_for(info, value))
        failed: list[list[Fault]] = []
        for member in fitting:
            attempt = _Reader(self.document, self.scalars)
            result = attempt.read(member, value, path)
            if not attempt.faults:
                return result
            failed.append(attempt.faults)
        fewest = min(failed, key=len)
        self.faults += fewest
        return _BAD

    def _struct(self, info: mi.StructType, value: Any, path: Path) -> Any:
        fields = {field.encode_name: field for field in info.fields}
        meant = self._unknown_keys(info, fields, value, path)
        arguments: dict[str, Any] = {}
        for key, field in fields.items():
            if key in value:
                arguments[field.name] = self.read(field.type, value[key], (*path, key))
            elif field.required:
                arguments[field.name] = _BAD
                if key not in meant:  # else the misspelt key is told, and this is the same mistake
                    self._tell(path, f"the key {key!r} is missing", f"expected is {called(field.type)}")
        if meant or any(argument is _BAD for argument in arguments.values()):
            return _BAD
        return self._built(info.cls, arguments, path)

    def _unknown_keys(
        self, info: mi.StructType, fields: Mapping[str, mi.Field], value: Mapping[str, Value], path: Path
    ) -> set[str]:
        """Tell the keys that the form does not know; return what they were probably meant to be."""
        unknown = [key for key in value if key not in fields] if info.forbid_unknown_fields else []
        free = [key for key in fields if key not in value]
        for key in unknown:
            hint = did_you_mean(key, free) if nearest(key, free) else known_as(fields)
            if value[key] is None and " " in key:  # {title: one, two} is read as two keys
                hint = "is it part of a text with a comma? then put the whole text in quotes"
            self._tell((*path, key), f"the key {key!r} is not known", hint)
        return {nearest(key, free) or key for key in unknown}

    def _built(self, form: Callable[..., Any], arguments: Mapping[str, Any], path: Path) -> Any:
        try:
            return form(**arguments)
        except ValueError as error:  # a struct's own __post_init__
            self._tell(path, str(error))
            return _BAD

    def _mapping(self, info: mi.DictType, value: Any, path: Path) -> Any:
        self._size(info, value, path, "entries")
        result = {}
        for key, item in value.items():
            read_key = self.read(info.key_type, key, (*path, key))
            result[read_key] = self.read(info.value_type, item, (*path, key))
        return result

    def _collection(self, info: Any, value: Any, path: Path) -> Any:
        self._size(info, value, path, "items")
        items = [self.read(info.item_type, item, (*path, index)) for index, item in enumerate(value)]
        return _BAD if any(item is _BAD for item in items) else _COLLECTIONS[type(info)](items)

    def _size(self, info: Any, value: Any, path: Path, what: str) -> None:
        if info.min_length is not None and len(value) < info.min_length:
            self._tell(path, f"at least {info.min_length} {what} are needed, and {len(value)} are here")
        if info.max_length is not None and len(value) > info.max_length:
            self._tell(path, f"at most {info.max_length} {what} are allowed, and {len(value)} are here")

    def _scalar(self, info: mi.Type, value: Any, path: Path, description: str) -> Any:
        if isinstance(info, mi.StrType):
            return self._text(info, str(value), path, description)
        if isinstance(info, mi.IntType | mi.FloatType):
            return self._number(info, float(value) if isinstance(info, mi.FloatType) else value, path)
        if isinstance(info, mi.EnumType):
            return info.cls(value)
        return value

    def _text(self, info: mi.StrType, value: str, path: Path, description: str) -> Any:
        if info.pattern is not None and not pattern(info.pattern).search(value):
            return self._unexpected(description or f"text that matches {info.pattern}", value, path)
        before = len(self.faults)
        self._size(info, value, path, "characters")
        return value if len(self.faults) == before else _BAD

    def _number(self, info: mi.IntType | mi.FloatType, value: Any, path: Path) -> Any:
        limits: list[tuple[float | None, str, Callable[[Any, Any], bool]]] = [
            (info.ge, "at least", operator.ge),
            (info.gt, "more than", operator.gt),
            (info.le, "at most", operator.le),
            (info.lt, "less than", operator.lt),
            (info.multiple_of, "a multiple of", lambda number, unit: number % unit == 0),
        ]
        given = [(limit, words, holds) for limit, words, holds in limits if limit is not None]
        broken = [f"{words} {limit}" for limit, words, holds in given if not holds(value, limit)]
        return self._unexpected(f"a number that is {' and '.join(broken)}", value, path) if broken else value

    def _unexpected(self, expected: str, value: Value, path: Path, hint: str = "") -> _Bad:
        return self._tell(path, f"expected {expected}, found {shown(value)}", hint)

    def _tell(self, path: Path, message: str, hint: str = "") -> _Bad:
        line, column = self.document.mark(path)
        self.faults.append(Fault(self.document.file, line, column, show_path(path), message, hint))
        return _BAD
