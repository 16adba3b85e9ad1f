"""The command line. Each command reads the settings, opens what it needs and calls one function."""

from __future__ import annotations

import contextlib
import getpass
import sys
from collections.abc import AsyncIterator, Coroutine, Sequence
from pathlib import Path
from typing import Any

from cyclopts import App

import parley
from parley.accounts import Scope
from parley.infra.settings import Settings, load_settings
from parley.kit.errors import ParleyError

app = App(name="parley", version=parley.__version__, help="One desk for every channel, one messenger.")
admin = App(name="admin", help="For operators, also while the server runs.")
journal = App(name="journal", help="What providers sent.")
app.command(admin)
app.command(journal)


def main() -> None:
    """Run the command line; errors on purpose are one sentence and exit code 1."""
    try:
        app()
    except ParleyError as error:
        print(f"parley: {error.message}", file=sys.stderr)
        for name, value in error.fields.items():
            print(f"  {name}: {value}", file=sys.stderr)
        sys.exit(1)


def _run(work: Coroutine[Any, Any, None]) -> None:
    import uvloop

    uvloop.run(work)


@app.command
def serve() -> None:
    """Serve everything in one process. Settings come from the environment: docs/reference/settings.md."""
    from parley.apps.serve import serve as run_server

    _run(run_server(load_settings()))


@app.command
def api() -> None:
    """Serve REST, webhooks and the web interface: one of several processes over DATABASE_URL."""
    from parley.apps.api import serve_api

    _run(serve_api(load_settings()))


@app.command
def gateway() -> None:
    """Serve Socket.IO and WebSocket: one of several processes over DATABASE_URL."""
    from parley.apps.gateway import serve_gateway

    _run(serve_gateway(load_settings()))


@app.command
def worker() -> None:
    """Do the work behind: what came in, what goes out, jobs, schedules. One of several processes over DATABASE_URL."""
    from parley.apps.worker import serve_worker

    _run(serve_worker(load_settings()))


@app.command
def migrate() -> None:
    """Bring the database to the newest schema."""

    async def work() -> None:
        from parley.infra.migrate import migrate as bring_up

        settings = load_settings()
        async with _database(settings, is_migrated=False) as dsn:
            print("migrated" if await bring_up(settings.direct_url or dsn) else "up to date already")

    _run(work())


@app.command
def doctor(*, only: Sequence[str] = (), quick: bool = False, json: bool = False) -> None:
    """Look whether all is well, on a running system without harm, and say what is wrong and what to do.

    Exit codes: 0 all is well, 1 something is wrong, 2 something could not be looked at.

    Parameters
    ----------
    only
        Name of a check or its first word, such as `ledger`; may be given several times.
    quick
        Leave out what walks over whole tables.
    json
        Print every check with what it found, for programs.
    """
    codes: list[int] = []

    async def work() -> None:
        from parley.apps.doctor import doctor as look

        codes.append(await look(load_settings(), only=only, is_quick=quick, is_json=json))

    _run(work())
    sys.exit(codes[0])


@app.command
def sandbox(*, host: str = "127.0.0.1", port: int = 8081, state: Path = Path("data/sandbox.sqlite")) -> None:
    """Run the stand-ins of providers as a program of their own."""
    from parley.sandbox.__main__ import main as run_sandbox

    state.parent.mkdir(parents=True, exist_ok=True)
    run_sandbox(["--host", host, "--port", str(port), "--state", str(state)])


@admin.command
def create_workspace(
    *,
    name: str,
    email: str,
    owner: str = "",
    password: str | None = None,
    scopes: Sequence[Scope] = ("admin", "desk", "chat"),
) -> None:
    """Create a workspace and its owner, and print an API key.

    Parameters
    ----------
    password
        Asked for when left out. Of an e-mail that has a login already, it must be that login's.
    scopes
        What the API key may do; may be given several times.
    """

    async def work() -> None:
        from parley.accounts import create_api_key
        from parley.accounts import create_workspace as create
        from parley.infra.runtime import open_runtime

        secret = password if password is not None else getpass.getpass("Password: ")
        settings = load_settings()
        async with _database(settings) as dsn, open_runtime(settings, dsn) as runtime:
            founded = await create(
                runtime.db,
                name=name,
                owner_name=owner or email.partition("@")[0],
                email=email,
                password=secret,
            )
            async with runtime.db.transaction(founded.workspace_id) as tx:
                key = await create_api_key(tx, founded.owner, name="First key", scopes=scopes)
        print(key.key)

    _run(work())


@admin.command
def setup_link() -> None:
    """Print a new one-time link that opens the creation of the first workspace."""

    async def work() -> None:
        from parley.accounts import issue_setup_link
        from parley.infra.runtime import open_runtime

        settings = load_settings()
        async with _database(settings) as dsn, open_runtime(settings, dsn) as runtime:
            link = await issue_setup_link(runtime.db, settings.origin)
        print(link or "There is a workspace already; sign in.")

    _run(work())


@admin.command
def reset_password(*, email: str, password: str | None = None) -> None:
    """Set a login's password and end its sessions."""

    async def work() -> None:
        from parley.accounts import reset_password as reset
        from parley.infra.runtime import open_runtime

        secret = password if password is not None else getpass.getpass("New password: ")
        settings = load_settings()
        async with _database(settings) as dsn, open_runtime(settings, dsn) as runtime:
            await reset(runtime.db, email=email, password=secret)

    _run(work())


@admin.command
def remove_second_factors(*, email: str) -> None:
    """Take app, passkeys and recovery codes away from a login that is locked out, and end its sessions."""

    async def work() -> None:
        from parley.accounts import remove_second_factors as remove
        from parley.infra.runtime import open_runtime

        settings = load_settings()
        async with _database(settings) as dsn, open_runtime(settings, dsn) as runtime:
            await remove(runtime.db, email=email)

    _run(work())


@admin.command
def hold_deliveries() -> None:
    """Hold outward messages that were not sent yet: before starting on a snapshot that was rolled back."""

    async def work() -> None:
        from parley.desk.outward import hold_waiting
        from parley.infra.runtime import open_runtime

        settings = load_settings()
        async with _database(settings) as dsn, open_runtime(settings, dsn) as runtime:
            print(f"{await hold_waiting(runtime.db)} held; let go with: parley admin release-deliveries")

    _run(work())


@admin.command
def release_deliveries() -> None:
    """Let go of outward messages that were held because the database was put back to an older state."""

    async def work() -> None:
        from parley.desk.outward import release_held
        from parley.infra.runtime import open_runtime

        settings = load_settings()
        async with _database(settings) as dsn, open_runtime(settings, dsn) as runtime:
            print(f"{await release_held(runtime.db)} released")

    _run(work())


@admin.command
def reindex() -> None:
    """Index every message for search anew, also while the server runs; search goes on meanwhile."""

    async def work() -> None:
        from parley.conversations.search_index import reindex as index_all
        from parley.infra.runtime import open_runtime

        settings = load_settings()
        async with _database(settings) as dsn, open_runtime(settings, dsn) as runtime:
            print(f"{await index_all(runtime.db)} messages indexed")

    _run(work())


@journal.command
def replay() -> None:
    """Run all failed journal items again, oldest first (after a fix)."""

    async def work() -> None:
        from parley.apps.process import make_channels
        from parley.desk.journal import replay_failed
        from parley.infra.runtime import open_runtime

        settings = load_settings()
        async with _database(settings) as dsn, open_runtime(settings, dsn) as runtime:
            count = await replay_failed(runtime.db, make_channels(runtime), None)
        print(f"{count} queued again")

    _run(work())


@contextlib.asynccontextmanager
async def _database(settings: Settings, *, is_migrated: bool = True) -> AsyncIterator[str]:
    """Reach the database beside a running server, or start it for this command."""
    from parley.infra.migrate import migrate as bring_up
    from parley.infra.postgres import join

    async with contextlib.AsyncExitStack() as stack:
        dsn = settings.database_url or await stack.enter_async_context(join(settings.data_dir))
        if is_migrated:
            await bring_up(settings.direct_url or dsn)
        yield dsn
