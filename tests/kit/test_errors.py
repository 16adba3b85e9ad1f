"""Errors: a stable code, a kind, one sentence; each class of the whole program."""

from __future__ import annotations

import importlib
import pkgutil
import re

import parley
from parley.kit.errors import Kind, NotFound, ParleyError


def every_error() -> list[type[ParleyError]]:
    for module in pkgutil.walk_packages(parley.__path__, "parley."):
        if not module.name.endswith("__main__") and ".migrations" not in module.name:
            importlib.import_module(module.name)
    found, queue = [], [ParleyError]
    while queue:
        kind = queue.pop()
        found.append(kind)
        queue += kind.__subclasses__()
    return [kind for kind in found if kind.__module__.startswith("parley.")]


def test_every_error_has_a_code_of_its_own_a_kind_and_a_sentence() -> None:
    codes: dict[str, type[ParleyError]] = {}
    for error in every_error():
        if error is ParleyError:
            continue
        assert re.fullmatch(r"[a-z][a-z0-9_]*", error.code), error
        assert isinstance(error.kind, Kind)
        made = error.__new__(error)
        ParleyError.__init__(made)
        is_foreign = error.__module__.startswith("parley.compat.")  # in a dialect's own words
        assert made.message.endswith(".") or is_foreign, error
        assert "\n" not in made.message
        if "code" in vars(error):
            assert error.code not in codes, f"{error} and {codes.get(error.code)} have one code"
            codes[error.code] = error
    assert len(codes) > 30


def test_an_error_says_its_docstring_unless_told_otherwise() -> None:
    assert NotFound().as_dict() == {
        "code": "not_found", "message": "There is no such thing, or you may not see it.", "fields": {},
    }  # fmt: skip
    assert NotFound("No such inbox.", id="x").as_dict() == {
        "code": "not_found", "message": "No such inbox.", "fields": {"id": "x"},
    }  # fmt: skip
    assert str(NotFound("No such inbox.")) == "No such inbox."
