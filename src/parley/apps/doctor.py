"""`parley doctor`: look at everything that must hold, on a live system, and say in words what does not.

Exit codes: 0 all is well, 1 something is wrong, 2 something could not be looked at (and nothing else was found wrong).
"""

from __future__ import annotations

import contextlib
import datetime as dt
import sys
from collections.abc import Callable, Sequence
from typing import Any

import asyncpg
import msgspec

from parley.accounts.checks import ACCOUNT_CHECKS
from parley.apps.work import SCHEDULES
from parley.contacts.checks import CONTACT_CHECKS
from parley.conversations.checks import CONVERSATION_CHECKS
from parley.conversations.search_checks import SEARCH_CHECKS
from parley.desk.checks import DESK_CHECKS
from parley.infra.checking import Check, Place, Probe, Result, run_check
from parley.infra.checks import infra_checks
from parley.infra.postgres import PostgresError, join
from parley.infra.settings import Settings
from parley.kit.errors import NotFound, ParleyError, Unavailable
from parley.media.checks import MEDIA_CHECKS

WELL, WRONG, UNSEEN = 0, 1, 2

CHECKS: tuple[Check, ...] = (
    *infra_checks(SCHEDULES),
    *ACCOUNT_CHECKS,
    *CONTACT_CHECKS,
    *CONVERSATION_CHECKS,
    *SEARCH_CHECKS,
    *MEDIA_CHECKS,
    *DESK_CHECKS,
)

_SERVING = """SELECT min(backend_start) AS since FROM pg_stat_activity
    WHERE application_name = 'parley' AND datname = current_database()"""


async def doctor(
    settings: Settings, *, only: Sequence[str] = (), is_quick: bool = False, is_json: bool = False
) -> int:
    """Look at the installation of these settings, print what is found, and return the exit code.

    Joins a running embedded database; one that stands still is started for the look and stopped after it. Creates and
    changes nothing.
    """
    try:
        async with contextlib.AsyncExitStack() as stack:
            dsn = settings.direct_url or await _join(settings, stack)
            results = await examine(settings, dsn, only=only, is_quick=is_quick, progress=_show_progress())
    except (Unavailable, PostgresError, NotFound) as error:
        _print_refusal(error, is_json=is_json)
        return UNSEEN
    _clear_progress()
    print(render_json(results) if is_json else render_text(results))
    return exit_code(results)


async def examine(
    settings: Settings,
    dsn: str,
    *,
    only: Sequence[str] = (),
    is_quick: bool = False,
    patience: float = 1.0,
    serving_since: dt.datetime | None = None,
    progress: Callable[[str], None] = lambda _: None,
) -> list[Result]:
    """Make the checks over a database, in the order of `CHECKS`; ``only``: names, or first words of names.

    ``is_quick`` leaves out walks over tables; ``serving_since``: since when a Parley runs, if it is not to be asked of
    the database. One connection, read only. Raises: Unavailable, NotFound.
    """
    checks = choose(only, is_quick=is_quick)
    try:
        connection = await asyncpg.connect(
            dsn, timeout=10, server_settings={"application_name": "parley doctor"}, statement_cache_size=0
        )
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"The database cannot be reached: {error}") from error
    try:
        since = serving_since or await connection.fetchval(_SERVING)
        place = Place(settings=settings, serving_since=since, patience=patience)
        probe = Probe(connection, place, progress)
        results = []
        for check in checks:
            progress(check.name)
            results.append(await run_check(check, probe))
        return results
    finally:
        await connection.close()


def choose(only: Sequence[str], *, is_quick: bool) -> list[Check]:
    """Return the checks that are wanted. Raises: NotFound."""
    known = {check.name for check in CHECKS} | {check.name.partition(".")[0] for check in CHECKS}
    for name in only:
        if name not in known:
            raise NotFound(f"There is no check {name}; parley doctor --json lists them all.")
    return [
        check
        for check in CHECKS
        if (not only or check.name in only or check.name.partition(".")[0] in only)
        and not (is_quick and (check.walk or check.is_long))
    ]


def exit_code(results: Sequence[Result]) -> int:
    """Return 0, 1 or 2 for what was found."""
    if any(result.is_wrong for result in results):
        return WRONG
    return UNSEEN if any(result.unseen for result in results) else WELL


def render_text(results: Sequence[Result]) -> str:
    """Return the report for people: what is wrong first in its own words, then what was looked at."""
    lines: list[str] = []
    for result in results:
        if result.unseen:
            lines += [f"NOT SEEN  {result.check.name}: {result.check.holds}", f"  Why: {result.unseen}", ""]
        elif result.count:
            lines += [f"{result.check.severity.upper()}  {result.check.name}: {result.check.holds}"]
            lines += [f"  - {finding}" for finding in result.findings]
            if result.count > len(result.findings):
                lines.append(f"  - and {result.count - len(result.findings)} more")
            lines += [f"  Do: {result.check.remedy}", ""]
    waiting = [result.check.name for result in results if result.passed_over]
    if waiting:
        lines += [f"No Parley runs here, so these wait for one: {', '.join(waiting)}.", ""]
    return "\n".join([*lines, _summary(results)])


def _summary(results: Sequence[Result]) -> str:
    wrong = sum(result.is_wrong for result in results)
    unseen = sum(result.unseen is not None for result in results)
    made = sum(result.passed_over is None for result in results) - unseen
    said = (
        "All is well"
        if not wrong and not unseen
        else f"{wrong} wrong" + (f", {unseen} not seen" if unseen else "")
    )
    return f"{said}: {made} checks in {sum(result.seconds for result in results):.1f} s."


def render_json(results: Sequence[Result]) -> str:
    """Return the report for programs: every check with what it found."""
    checks: list[dict[str, Any]] = [
        {
            "name": result.check.name,
            "severity": result.check.severity,
            "holds": result.check.holds,
            "state": _state(result),
            "count": result.count,
            "findings": result.findings,
            "remedy": result.check.remedy,
            "why": result.unseen or result.passed_over,
            "seconds": round(result.seconds, 3),
            "longest_transaction_seconds": round(result.longest_seconds, 3),
        }
        for result in results
    ]
    return msgspec.json.format(msgspec.json.encode({"exit": exit_code(results), "checks": checks})).decode()


def _state(result: Result) -> str:
    if result.unseen:
        return "not_seen"
    if result.passed_over:
        return "waits"
    return "found" if result.count else "holds"


async def _join(settings: Settings, stack: contextlib.AsyncExitStack) -> str:
    """Join the embedded database. Raises: NotFound when there is none, since a look makes nothing."""
    made = settings.data_dir / "postgres" / "cluster" / "data" / "PG_VERSION"
    if not made.exists():
        raise NotFound(f"There is no database in {settings.data_dir}; set PARLEY_DATA_DIR or DATABASE_URL.")
    try:
        return await stack.enter_async_context(join(settings.data_dir))
    except (OSError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        raise Unavailable(f"The database in {settings.data_dir} cannot be reached: {error}") from error


def _show_progress() -> Callable[[str], None]:
    """On a terminal: what is looked at now, on one line of standard error."""
    if not sys.stderr.isatty():
        return lambda _: None

    def show(what: str) -> None:
        sys.stderr.write(f"\r\x1b[K{what}")
        sys.stderr.flush()

    return show


def _clear_progress() -> None:
    if sys.stderr.isatty():
        sys.stderr.write("\r\x1b[K")


def _print_refusal(error: ParleyError, *, is_json: bool) -> None:
    if is_json:
        print(
            msgspec.json.encode(
                {"exit": UNSEEN, "error": {"code": error.code, "message": error.message}}
            ).decode()
        )
    else:
        print(f"parley: {error.message}", file=sys.stderr)
