"""The doctor finds every break, that one alone, and says nothing of a sound installation."""

from __future__ import annotations

import asyncio
import contextlib
import dataclasses
import datetime as dt
import json
import os
import re
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest

from parley.apps import doctor
from parley.apps.doctor import CHECKS, examine, exit_code, render_json, render_text
from parley.infra import checks as infra_checks
from parley.infra.checking import Check, Place, Probe, Result, run_check
from parley.infra.settings import Settings
from tests.apps.breaks import BREAKS, Break
from tests.apps.sound import LONG_AGO, furnish_soundly
from tests.database import TestDatabases

pytestmark = pytest.mark.anyio

PATIENCE = 0.2
"""Second looks come sooner; no state of these tests is older than that makes wrong."""
OF_THE_SURROUNDINGS = {
    "infra.durability", "infra.feed", "infra.idle_transactions", "infra.roles", "infra.wraparound", "infra.checksums",
    "infra.connections", "infra.clocks", "infra.disk", "search.letters",
}  # fmt: skip
"""Broken by tests of their own below: they are of the cluster or the machine, which others use as well."""


@pytest.fixture(scope="module")
def sound(databases: TestDatabases, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    """A sound database, as a template's name, and its data directory."""
    data_dir = tmp_path_factory.mktemp("sound")
    with databases.fresh() as dsn:
        asyncio.run(furnish_soundly(dsn, data_dir))
        yield dsn.partition("?")[0].rpartition("/")[2], data_dir


@pytest.fixture
def patient(databases: TestDatabases, sound: tuple[str, Path], tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A copy of it, to be broken: its DSN and its data directory."""
    data_dir = tmp_path / "data"
    shutil.copytree(sound[1], data_dir)
    with databases.fresh(sound[0]) as dsn:
        yield dsn, data_dir


async def look(patient: tuple[str, Path], **more: Any) -> list[Result]:
    """Look at everything, as beside a Parley that has run for long."""
    settings = Settings(data_dir=patient[1])
    return await examine(settings, patient[0], patience=PATIENCE, serving_since=LONG_AGO, **more)


def told(results: list[Result]) -> dict[str, Result]:
    """What was found, but that the tests' cluster is not durable and what strangers do in it."""
    return {
        result.check.name: result
        for result in results
        if (result.count or result.unseen)
        and result.check.name not in ("infra.durability", "infra.feed", "infra.connections")
    }


async def test_a_sound_installation_is_well_and_every_check_looked(patient: tuple[str, Path]) -> None:
    results = await look(patient)
    assert told(results) == {}
    assert [result.check for result in results] == list(CHECKS)
    assert [result.check.name for result in results if result.unseen or result.passed_over] == []


async def test_every_check_has_a_test_that_breaks_it_and_a_name_of_its_own() -> None:
    names = [check.name for check in CHECKS]
    assert len(set(names)) == len(names)
    assert set(names) == {one.check for one in BREAKS} | OF_THE_SURROUNDINGS


@pytest.mark.parametrize("broken", BREAKS, ids=lambda one: f"{one.check}: {one.says}")
async def test_what_is_broken_is_told_by_its_check_alone(patient: tuple[str, Path], broken: Break) -> None:
    connection = await asyncpg.connect(patient[0])
    for statement in broken.statements:
        await connection.execute(statement)
    await connection.close()
    if broken.files:
        broken.files(patient[1])
    results = await look(patient)
    found = told(results)
    assert found.keys() == {broken.check}, {name: result.findings for name, result in found.items()}
    assert any(broken.says in finding for finding in found[broken.check].findings), found[
        broken.check
    ].findings
    is_note = found[broken.check].check.severity == "note"
    assert exit_code([result for result in results if result.check.name in found]) == (0 if is_note else 1)
    text = render_text(results)
    assert broken.says in text
    assert found[broken.check].check.remedy in text


async def test_nothing_is_written_and_nobody_waits(patient: tuple[str, Path]) -> None:
    """The rows of a stopped half of a transaction are locked; the doctor neither waits for them nor sees them."""
    connection = await asyncpg.connect(patient[0])
    async with connection.transaction():
        await connection.execute("UPDATE conversation SET head = head + 7")
        results = await asyncio.wait_for(look(patient), 30)
    assert told(results) == {}
    await connection.close()


async def test_without_a_parley_what_waits_for_one_is_passed_over_and_said(patient: tuple[str, Path]) -> None:
    results = await examine(Settings(data_dir=patient[1]), patient[0], patience=PATIENCE)
    waiting = [result.check for result in results if result.passed_over]
    assert waiting == [check for check in CHECKS if check.needs_serving]
    assert "jobs.in_time" in render_text(results)
    assert told(results) == {}


async def test_what_cannot_be_seen_is_said_and_is_not_well(patient: tuple[str, Path]) -> None:
    connection = await asyncpg.connect(patient[0])
    await connection.execute("DROP TABLE reaction")
    await connection.close()
    results = await look(patient, only=["conversations.tombstones"])
    assert results[0].unseen
    assert exit_code(results) == 2
    assert "NOT SEEN  conversations.tombstones" in render_text(results)


async def test_many_findings_are_counted_and_some_are_shown(patient: tuple[str, Path]) -> None:
    connection = await asyncpg.connect(patient[0])
    await connection.execute(
        """INSERT INTO job (id, kind, work, last_error, finished_at)
        SELECT gen_random_uuid(), 'x', 'failed', 'no luck', now() FROM generate_series(1, 25)"""
    )
    await connection.close()
    results = await look(patient, only=["jobs"])
    assert (told(results)["jobs.failed"].count, len(told(results)["jobs.failed"].findings)) == (25, 10)
    assert "and 15 more" in render_text(results)
    listed = json.loads(render_json(results))
    assert listed["exit"] == 1
    assert {one["name"]: one["state"] for one in listed["checks"]}["jobs.failed"] == "found"


async def test_a_walk_of_many_small_steps_finds_the_same(patient: tuple[str, Path]) -> None:
    connection = await asyncpg.connect(patient[0], server_settings={"application_name": "parley doctor"})
    await connection.execute(
        "DELETE FROM event WHERE number = 2 AND conversation_id IN (SELECT id FROM conversation WHERE kind = 'desk')"
    )
    check = next(check for check in CHECKS if check.name == "stream.numbers")
    assert check.walk
    place = Place(settings=Settings(data_dir=patient[1]), serving_since=None)
    probe = Probe(connection, place, lambda _: None, widest_rows=2)
    result = await run_check(dataclasses.replace(check, walk=dataclasses.replace(check.walk, rows=1)), probe)
    assert result.count == 1
    assert result.steps > 4
    await connection.close()


# ---------------------------------------------------------------- the surroundings


async def ask(patient: tuple[str, Path], name: str, *, patience: float = 1.0, **changes: Any) -> Result:
    """Make one check, with changes where its surroundings cannot be broken for everybody."""
    check: Check = next(check for check in CHECKS if check.name == name)
    if "sql" in changes:
        old, new = changes["sql"]
        assert old in check.sql
        changes["sql"] = check.sql.replace(old, new)
    connection = await asyncpg.connect(patient[0])
    place = Place(settings=Settings(data_dir=patient[1]), serving_since=None, patience=patience)
    result = await run_check(dataclasses.replace(check, **changes), Probe(connection, place, lambda _: None))
    await connection.close()
    return result


async def test_the_tests_own_cluster_is_told_to_be_unsafe(patient: tuple[str, Path]) -> None:
    result = await ask(patient, "infra.durability")
    assert sorted(result.findings) == ["fsync is off", "full_page_writes is off", "synchronous_commit is off"]


@contextlib.asynccontextmanager
async def open_transaction(patient: tuple[str, Path], statement: str) -> Any:
    """Somebody's transaction that was begun and left."""
    connection = await asyncpg.connect(patient[0], server_settings={"application_name": "forgetful"})
    await connection.execute(f"BEGIN; {statement}")
    await asyncio.sleep(0.2)
    try:
        yield
    finally:
        await connection.close()


async def test_who_writes_for_long_holds_up_the_feed_and_is_named(patient: tuple[str, Path]) -> None:
    async with open_transaction(patient, "UPDATE workspace SET name = name"):
        result = await ask(patient, "infra.feed", patience=0.001)
        assert any("(forgetful as parley" in finding for finding in result.findings), result.findings
        assert "pg_terminate_backend" in result.check.remedy
        assert (await ask(patient, "infra.idle_transactions", patience=0.001)).count == 0


async def test_who_idles_in_a_transaction_is_named(patient: tuple[str, Path]) -> None:
    async with open_transaction(patient, "SELECT FROM workspace"):
        result = await ask(patient, "infra.idle_transactions", patience=0.001)
    assert any("(forgetful as parley" in finding for finding in result.findings), result.findings


async def test_a_role_that_passes_by_row_security_is_named(patient: tuple[str, Path]) -> None:
    name = f"odd_{os.getpid()}"
    connection = await asyncpg.connect(patient[0])
    await connection.execute(f"CREATE ROLE {name} BYPASSRLS")
    try:
        result = await ask(patient, "infra.roles", sql=("{parley_app,", f"{{{name},nobody_{name},"))
    finally:
        await connection.execute(f"DROP ROLE {name}")
        await connection.close()
    assert sorted(result.findings) == [
        f"role nobody_{name} is missing",
        f"role {name} passes by row security",
    ]


@pytest.mark.parametrize(
    ("name", "old", "new", "says"),
    [
        ("infra.wraparound", "> $1", "> $1 - 1000000000", "transactions old"),
        ("infra.checksums", "checksum_failures > 0", "checksum_failures >= 0", None),
        ("infra.connections", "* 0.9", "* 0", "connections are taken"),
        ("search.letters", "<> 'привет'", "<> 'x'", "in small letters is"),
    ],
)
async def test_limits_of_the_cluster_are_told_once_they_are_passed(
    patient: tuple[str, Path], name: str, old: str, new: str, says: str | None
) -> None:
    assert (await ask(patient, name)).count == 0
    result = await ask(patient, name, sql=(old, new), again_seconds=0)
    assert result.count
    assert says is None or says in result.findings[0]


async def test_a_clock_an_hour_off_is_told(
    patient: tuple[str, Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    late = dt.datetime.now(dt.UTC).timestamp() - 3600
    monkeypatch.setattr(infra_checks.time, "time", lambda: late)
    result = await ask(patient, "infra.clocks")
    [apart] = re.findall(r"(\d+) s apart", result.findings[0])
    assert 3600 <= int(apart) < 3660


async def test_a_full_disk_is_told(patient: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(infra_checks, "LEAST_FREE_SHARE", 1.1)
    monkeypatch.setattr(infra_checks, "LEAST_FREE_BYTES", 1 << 62)
    assert "are free where" in (await ask(patient, "infra.disk")).findings[0]


# ---------------------------------------------------------------- the command


async def test_a_database_that_is_not_there_is_not_made(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert await doctor.doctor(Settings(data_dir=tmp_path / "none")) == 2
    assert "There is no database in" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []


async def test_a_database_that_does_not_answer_is_said(
    capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    settings = Settings(data_dir=tmp_path, database_url="postgresql://127.0.0.1:1/none")
    assert await doctor.doctor(settings, is_json=True) == 2
    assert json.loads(capsys.readouterr().out)["exit"] == 2


async def test_an_unknown_check_is_refused(
    patient: tuple[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings(data_dir=patient[1], database_url=patient[0])
    assert await doctor.doctor(settings, only=["nonsense"]) == 2
    assert "There is no check nonsense" in capsys.readouterr().err
