"""The running PostgreSQL: started, adopted, watched over, stopped.

It lives in a session of its own, so that Ctrl-C in Parley's terminal leaves it running until Parley, done with
its work, stops it. One that a killed Parley left behind is adopted.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import AsyncIterator, Mapping
from pathlib import Path

import asyncpg
import structlog

from parley.infra.postgres.account import choose_account
from parley.infra.postgres.binaries import Binaries, find_binaries
from parley.infra.postgres.cluster import DATABASE, PRIVACY, Cluster, environment
from parley.infra.postgres.errors import PostgresStartFailed
from parley.infra.postgres.locks import Entry, Usage

log = structlog.get_logger(__name__)

START_TIMEOUT_SECONDS = 900.0
"""Recovery after a crash replays up to `max_wal_size`, minutes on a slow disk."""

ORPHANS_TIMEOUT_SECONDS = 20.0
"""How long the processes of a killed PostgreSQL may take to notice; none starts beside them."""

STOP_TIMEOUT_SECONDS = 60.0

_POLL_SECONDS = 0.02
_TELL_AGAIN_SECONDS = 0.5

_DYING = (
    ConnectionError,
    asyncpg.ConnectionDoesNotExistError,
    asyncpg.CannotConnectNowError,
    FileNotFoundError,
)
"""What a connection meets at a server that is on its way out."""

_LEFT_TO_OTHERS: list[subprocess.Popen[bytes]] = []
"""Children that outlive our use of them; `subprocess` warns of those it collects as garbage."""


class EmbeddedPostgres:
    """PostgreSQL on the files in Parley's data directory.

    `start` for the one process that serves, `join` for those beside it. The first in starts the server, the last
    out stops it. `settings` go to PostgreSQL's command line and last for one start.
    """

    def __init__(
        self, data_dir: Path, *, settings: Mapping[str, str] | None = None, binaries: Binaries | None = None
    ) -> None:
        self._cluster = Cluster(data_dir.expanduser().resolve() / "postgres")
        self._settings = dict(settings or {})
        self._binaries = binaries
        self._usage = Usage(self._cluster.root)
        self._process: subprocess.Popen[bytes] | None = None
        self._is_given_up = threading.Event()

    async def start(self) -> str:
        """Be the one Parley on this data directory; return the DSN of a database that answers.

        Raises: DataDirectoryInUse when another serves from it, and any other PostgresError.
        """
        return await self._use(is_owner=True)

    async def join(self) -> str:
        """Use the database beside whoever does; return its DSN. Starts PostgreSQL when nobody runs it.

        Raises: PostgresError.
        """
        return await self._use(is_owner=False)

    async def stop(self) -> None:
        """Leave; stop PostgreSQL when nobody else uses it. Close every connection first. Repeat: harmless."""
        await asyncio.to_thread(self._leave)

    async def watch(self) -> None:
        """Start PostgreSQL anew whenever it dies under us, at the same DSN; runs until cancelled.

        Raises: PostgresError when it cannot be started.
        """
        while True:
            await asyncio.sleep(0.5)
            if not self.is_running():
                log.warning("postgres.died", data=str(self._cluster.data))
                await asyncio.to_thread(self._launch)
                log.info("postgres.restarted")

    def dsn(self, database: str = DATABASE) -> str:
        """Return the DSN of a database of this cluster, once it was started or joined."""
        return self._cluster.dsn(database)

    def is_running(self) -> bool:
        """Tell whether PostgreSQL runs on our files, whoever started it."""
        process_id = self._process_id()
        return process_id is not None and self._is_ours(process_id)

    @property
    def binaries(self) -> Binaries:
        """The programs that fit this cluster (`binaries.tool("pg_dump")`). Raises: PostgresMissing."""
        if self._binaries is None:
            self._binaries = find_binaries(self._cluster.major())
        return self._binaries

    async def _use(self, *, is_owner: bool) -> str:
        self._is_given_up.clear()
        deadline = time.monotonic() + ORPHANS_TIMEOUT_SECONDS
        while True:
            entering = asyncio.ensure_future(asyncio.to_thread(self._enter, is_owner=is_owner))
            try:
                await asyncio.shield(entering)
                await _ensure_database(self._cluster)
                return self._cluster.dsn()
            except _DYING:
                # One that was killed a moment ago still looks alive.
                if time.monotonic() > deadline:
                    await asyncio.to_thread(self._leave)
                    raise
                self._usage.release()
                await asyncio.sleep(0.1)
            except BaseException:
                self._is_given_up.set()  # a cancelled wait leaves the thread running
                await asyncio.gather(entering, return_exceptions=True)
                await asyncio.to_thread(self._leave)
                raise

    def _enter(self, *, is_owner: bool) -> None:
        self._cluster.make_directories()
        if is_owner:
            self._usage.own()
        deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
        while (entry := self._usage.enter()) is not Entry.ALONE:
            if entry is Entry.WITH_OTHERS and self.is_running():
                self.wait_until_ready()
                return
            if entry is Entry.WITH_OTHERS and time.monotonic() > deadline:
                raise PostgresStartFailed(
                    "PostgreSQL died, and the Parley that uses it does not start it again."
                )
            self._usage.leave()  # whoever is starting or stopping it needs to be alone
            self._pause()
        if self.is_running():
            self.wait_until_ready()
        else:
            self._launch()
        self._usage.share()

    def _pause(self) -> None:
        if self._is_given_up.wait(_POLL_SECONDS):
            raise PostgresStartFailed("The start of PostgreSQL was broken off.")

    def _leave(self) -> None:
        try:
            if self._usage.is_last():
                self._shut_down()
            elif self._process is not None:
                _LEFT_TO_OTHERS.append(self._process)
        finally:
            self._process = None
            self._usage.release()

    def _launch(self) -> None:
        """Start PostgreSQL, making its files when there are none; on return it accepts connections."""
        cluster = self._cluster
        binaries = self.binaries
        account = choose_account(binaries.directory, cluster.home)
        if cluster.major() is None:
            cluster.create(binaries, account)
        cluster.prepare_places(account)
        cluster.choose_port()
        deadline = time.monotonic() + ORPHANS_TIMEOUT_SECONDS
        while True:
            self._forget_dead_process_id()
            with (cluster.log / "startup.log").open("wb") as startup_log:
                self._process = account.popen(
                    [binaries.tool("postgres"), *self._arguments()],
                    cwd="/",
                    env=environment(),
                    stdin=subprocess.DEVNULL,
                    stdout=startup_log,
                    stderr=startup_log,
                    start_new_session=True,
                )
            try:
                self.wait_until_ready()
            except PostgresStartFailed as error:
                if time.monotonic() > deadline or not self._may_pass(error.message):
                    raise
                self._pause()
            else:
                return

    def _may_pass(self, words: str) -> bool:
        """Tell whether a failed start is worth another; takes another port when ours is taken."""
        if "Address already in use" in words and not self._cluster.has_socket:
            self._cluster.choose_port(afresh=True)
            return True
        return "still in use" in words or ("lock file" in words and "already exists" in words)

    def _arguments(self) -> list[str]:
        cluster = self._cluster
        settings = {
            **PRIVACY,
            "port": str(cluster.port),
            "unix_socket_directories": f'"{cluster.run}"' if cluster.has_socket else "",
            "listen_addresses": "" if cluster.has_socket else "127.0.0.1",
            "log_directory": str(cluster.log),
            **self._settings,
        }
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return ["-D", str(cluster.data), *options]

    def wait_until_ready(self) -> None:
        """Return when it accepts connections. Raises: PostgresStartFailed when it does not come up."""
        deadline = time.monotonic() + START_TIMEOUT_SECONDS
        while time.monotonic() < deadline:
            if not self.is_running() and (self._process is None or self._process.poll() is not None):
                raise PostgresStartFailed(f"PostgreSQL did not start:\n{self._cluster.last_words()}")
            lines = self._pid_file()
            if len(lines) >= 8 and lines[7].strip() == "ready" and self._is_ours(int(lines[0])):
                return
            self._pause()
        raise PostgresStartFailed(
            f"PostgreSQL was not ready after {START_TIMEOUT_SECONDS:.0f} s:\n{self._cluster.last_words()}"
        )

    def _shut_down(self) -> None:
        """Stop PostgreSQL: SIGINT (it breaks off what is open and writes a checkpoint), SIGQUIT when that hangs."""
        if self._process is not None and self._process.poll() is None:
            process_id: int | None = self._process.pid  # a young one has put nothing on file yet
        else:
            process_id = self._process_id()
        if process_id is None or not self._is_ours(process_id):
            return
        for signal_number in (signal.SIGINT, signal.SIGQUIT):
            told_at = 0.0
            deadline = time.monotonic() + STOP_TIMEOUT_SECONDS
            while (now := time.monotonic()) < deadline:
                is_ours = self._is_ours(process_id)
                if not is_ours and not self.is_running():
                    return
                # Told again: a signal that meets the process while it turns into PostgreSQL is lost.
                if is_ours and now - told_at > _TELL_AGAIN_SECONDS:
                    told_at = now
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(process_id, signal_number)
                time.sleep(_POLL_SECONDS)
        raise PostgresStartFailed(f"PostgreSQL (process {process_id}) does not stop.", process_id=process_id)

    def _pid_file(self) -> list[str]:
        # Lines: process id, data directory, start time, port, socket directory, address, shared memory, state.
        try:
            return (self._cluster.data / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return []

    def _process_id(self) -> int | None:
        lines = self._pid_file()
        return int(lines[0]) if lines and lines[0].strip().isdigit() else None

    def _is_ours(self, process_id: int) -> bool:
        """Tell whether a process is the PostgreSQL on our files; a zombie or a stranger is not."""
        if self._process is not None and self._process.pid == process_id:
            # This reaps it, too. Its command line is empty while it turns into PostgreSQL.
            return self._process.poll() is None
        return f"-D {self._cluster.data} " in _command_line(process_id)

    def _forget_dead_process_id(self) -> None:
        """Remove files of a server that is gone, for whose sake PostgreSQL would not start: its socket's, and its
        id's, when that is a stranger's (after a restart of the machine or container) or a zombie's which nobody
        buries. What a dead server left running is known to PostgreSQL by its shared memory, without that file."""
        for path in self._cluster.run.glob(".s.PGSQL.*"):
            path.unlink(missing_ok=True)
        process_id = self._process_id()
        if process_id is None or self._is_ours(process_id):
            return
        if _command_line(process_id) or _is_zombie(process_id):
            (self._cluster.data / "postmaster.pid").unlink(missing_ok=True)


@contextlib.asynccontextmanager
async def join(data_dir: Path) -> AsyncIterator[str]:
    """Use the embedded database of a data directory, beside a running Parley or alone; yields the DSN.

    Raises: PostgresError.
    """
    postgres = EmbeddedPostgres(data_dir)
    dsn = await postgres.join()
    try:
        yield dsn
    finally:
        await postgres.stop()


def _command_line(process_id: int) -> str:
    """Return a process's command line with blanks between its parts; empty for none or a zombie."""
    if Path("/proc/self/cmdline").exists():
        try:
            return (
                Path(f"/proc/{process_id}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace")
            )
        except (FileNotFoundError, ProcessLookupError):
            return ""
    command = ["ps", "-o", "command=", "-p", str(process_id)]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout


def _is_zombie(process_id: int) -> bool:
    try:
        return Path(f"/proc/{process_id}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


async def _ensure_database(cluster: Cluster) -> None:
    """Make our database when a crash came between the cluster's first start and this."""
    try:
        connection = await asyncpg.connect(cluster.dsn())
    except asyncpg.InvalidCatalogNameError:
        connection = await asyncpg.connect(cluster.dsn("postgres"))
        with contextlib.suppress(asyncpg.DuplicateDatabaseError, asyncpg.UniqueViolationError):
            await connection.execute(f"CREATE DATABASE {DATABASE}")
    except asyncpg.InvalidPasswordError as error:
        raise PostgresStartFailed(f"PostgreSQL refuses the password in {cluster.root}/password.") from error
    await connection.close()
