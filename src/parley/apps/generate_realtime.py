"""The parts of docs/reference/realtime.md that the code knows best: commands, frames and kinds of events.

The page is written by hand around them; each part stands between two comments that name it.
"""

from __future__ import annotations

import inspect
import re
import types
import typing
from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from parley.kit.events import CONVERSATION_KINDS, PERSONAL_KINDS, SIGNAL_KINDS
from parley.realtime.frames import Command, Frame

_PART = re.compile(r"(<!-- made: (\w+) -->\n).*?(<!-- end -->)", re.DOTALL)


def render_realtime(page: str) -> str:
    """Return the page with its made parts as the code is now. Raises: KeyError for a part that nobody makes."""
    parts = {
        "commands": _render_structs("do", Command, hidden=("id",)),
        "frames": _render_structs("type", Frame),
        "conversation_kinds": _render_kinds(CONVERSATION_KINDS),
        "personal_kinds": _render_kinds(PERSONAL_KINDS),
        "signal_kinds": _render_kinds(SIGNAL_KINDS),
    }
    return _PART.sub(lambda found: found[1] + parts[found[2]] + found[3], page)


def _render_structs(tag: str, union: Any, hidden: tuple[str, ...] = ()) -> str:
    rows = []
    for kind in typing.get_args(union):
        fields = [
            f"`{field.encode_name}{'' if field.required else '?'}: {_name(field.type)}`"
            for field in msgspec.structs.fields(kind)
            if field.name not in hidden
        ]
        about = " ".join((inspect.getdoc(kind) or "").split()).replace("``", "`")
        rows.append((f"`{kind.__struct_config__.tag}`", ", ".join(fields), about))
    return _table((tag, "fields", ""), rows)


def _render_kinds(kinds: Mapping[str, str]) -> str:
    return _table(("kind", "what it says"), [(f"`{kind}`", about) for kind, about in kinds.items()])


def _name(kind: Any) -> str:
    """Return a type as a reader of JSON knows it."""
    if typing.get_origin(kind) is typing.Annotated:
        return _name(typing.get_args(kind)[0])
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        return " or ".join(_name(one) for one in typing.get_args(kind))
    if typing.get_origin(kind) is list:
        return f"[{_name(typing.get_args(kind)[0])}]"
    if typing.get_origin(kind) is dict:
        return "object"
    if isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        return "{" + ", ".join(field.encode_name for field in msgspec.structs.fields(kind)) + "}"
    names = {"str": "text", "int": "number", "bool": "true or false", "NoneType": "null", "datetime": "time"}
    return names.get(kind.__name__, str(kind.__name__))


def _table(heads: tuple[str, ...], rows: Iterable[tuple[str, ...]]) -> str:
    lines = [heads, tuple("---" for _ in heads), *rows]
    return "".join("| " + " | ".join(cell.replace("|", "\\|") for cell in line) + " |\n" for line in lines)
