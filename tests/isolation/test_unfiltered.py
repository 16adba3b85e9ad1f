"""That the mode without the application's filter is what it says: it takes the filter away, and the database holds."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from parley.infra.db import Database
from tests.house import House
from tests.isolation.furnished import Furnished
from tests.unfiltered import VARIABLE, remove_filters, strip_filters

pytestmark = pytest.mark.anyio

SLICES = (
    "accounts", "contacts", "conversations", "desk", "media", "realtime", "compat", "brokers",
    "isolation/test_routes.py", "isolation/test_rightful.py", "isolation/test_neighbours.py",
)  # fmt: skip
"""What works on workspaces. isolation/test_database.py is not among them: its statements stand in for an application
without a filter, and compare workspaces only to count what they see."""


def test_comparisons_of_workspaces_are_taken_out_and_others_stay() -> None:
    for sql, stripped in (
        ("SELECT 1 FROM a WHERE workspace_id = $1 AND id = $2", "SELECT 1 FROM a WHERE ($1::uuid IS NOT NULL) AND id = $2"),
        ("JOIN b ON b.workspace_id = a.workspace_id AND b.id = a.b", "JOIN b ON true AND b.id = a.b"),
        ("INSERT INTO a (workspace_id, id) VALUES ($1, $2)", "INSERT INTO a (workspace_id, id) VALUES ($1, $2)"),
    ):  # fmt: skip
        assert strip_filters(sql) == stripped
    with pytest.raises(AssertionError):
        strip_filters("SELECT 1 FROM a WHERE (workspace_id, id) IN (SELECT $1, $2)")


async def test_without_the_filter_only_the_database_stands_between_two_workspaces(
    house: House, ours: Furnished, theirs: Furnished, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The control: with the database's policies off as well, the same request tells everything."""
    changed = remove_filters(monkeypatch)
    url = f"/v1/desk/conversations/{ours.ids['conversation_id']}"
    async with house.client(theirs.owner) as intruder:
        assert (await intruder.get(url)).status_code == 404
        assert changed
        opened = Database._open

        def without_policies(self: Database, begin: str) -> object:
            # the role is named in a comment still, for the filters to be removed
            return opened(self, begin.replace("ROLE parley_app", "ROLE parley_system /* parley_app */"))

        monkeypatch.setattr(Database, "_open", without_policies)
        told = await intruder.get(url)
        assert told.status_code == 200
        assert ours.marks[0] in told.text


@pytest.mark.long
def test_the_slices_hold_by_the_database_alone() -> None:
    """All tests of what works on workspaces, once more without the application's filter."""
    root = Path(__file__).resolve().parents[2]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-x", *(f"tests/{name}" for name in SLICES)],
        cwd=root, env={**os.environ, VARIABLE: "1"}, capture_output=True, text=True, timeout=1800,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-6000:]
