"""The application without its own workspace filter, so that the database alone must hold (ADR 0004).

Every comparison of a ``workspace_id`` is taken out of the SQL of transactions that run as ``parley_app``, just before
it is sent: with a parameter, and between two tables. What is left to keep workspaces apart is the row-level security
that the transaction begins with, and the keys. What runs as ``parley_system`` is left as it is: there the statement
is the only wall, which is why ADR 0004 lists all of it.

``PARLEY_TESTS_UNFILTERED=1`` runs any tests this way, and the programs that they start:
``python tests/unfiltered.py serve`` is `parley serve` without the filter.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import AsyncIterator, Callable
from typing import Any

from parley.infra.db import Database, Tx

VARIABLE = "PARLEY_TESTS_UNFILTERED"
_BY_PARAMETER = re.compile(r"\b(?:\w+\.)?workspace_id\s*=\s*(\$\d+)(?:::uuid)?")
_BETWEEN = re.compile(r"\b(?:\w+\.)?workspace_id\s*=\s*(?:\w+\.workspace_id|w\.id)\b")
_LEFT = re.compile(
    r"\bworkspace_id\s*(?:=|<>|!=|\bIN\b|IS NOT DISTINCT)|\(\s*(?:\w+\.)?workspace_id\b[^()]*\)\s*(?:=|<>|IN\b)",
    re.IGNORECASE,
)


def strip_filters(sql: str) -> str:
    """Return a statement without its comparisons of workspaces. Raises: AssertionError at one it does not know."""
    stripped = _BETWEEN.sub("true", _BY_PARAMETER.sub(r"(\1::uuid IS NOT NULL)", sql))
    assert not _LEFT.search(stripped), f"teach tests/unfiltered.py this comparison: {stripped}"
    return stripped


def remove_filters(patch: Any) -> list[str]:
    """Have every transaction of a workspace do without filters; return the list that the statements changed go to.

    ``patch``: what sets attributes as `pytest.MonkeyPatch` does.
    """
    changed: list[str] = []
    opened = Database._open

    @contextlib.asynccontextmanager
    async def open_unfiltered(self: Database, begin: str, *args: Any, **kwargs: Any) -> AsyncIterator[Tx]:
        async with opened(self, begin, *args, **kwargs) as tx:
            tx.is_unfiltered = "parley_app" in begin  # type: ignore[attr-defined]
            yield tx

    def unfiltered(call: Callable[..., Any]) -> Callable[..., Any]:
        def ask(self: Tx, sql: str, *args: Any) -> Any:
            if getattr(self, "is_unfiltered", False):
                stripped = strip_filters(sql)
                if stripped != sql:
                    changed.append(sql)
                sql = stripped
            return call(self, sql, *args)

        return ask

    patch.setattr(Database, "_open", open_unfiltered)
    for name in ("fetch", "fetchrow", "fetchval", "execute", "executemany"):
        patch.setattr(Tx, name, unfiltered(getattr(Tx, name)))
    return changed


if __name__ == "__main__":
    from types import SimpleNamespace

    from parley.cli import main

    remove_filters(
        SimpleNamespace(setattr=setattr)
    )  # without pytest, whose presence the command line warns of

    main()
