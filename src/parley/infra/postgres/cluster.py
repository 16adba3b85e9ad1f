"""The files of an embedded PostgreSQL below Parley's data directory, and how they come into being.

<data dir>/postgres/            Parley's: password, port, lock files
<data dir>/postgres/cluster/    the account's that runs PostgreSQL, entered by nobody else:
    data/  (PGDATA)   run/  (unix socket)   log/  (a week, one file a day)
"""

from __future__ import annotations

import os
import secrets
import shutil
import socket
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from parley.infra.postgres.account import Account
from parley.infra.postgres.binaries import Binaries
from parley.infra.postgres.errors import DataDirectoryUnusable, PostgresStartFailed

SUPERUSER = DATABASE = "parley"

SOCKET_PATH_BYTES = 103
"""Longest path of a unix socket on every system (`sockaddr_un`: 104 on macOS, 108 on Linux, with the final zero)."""

_SOCKET_PORT = 5432
"""Names the socket file only; the socket's directory is ours alone."""

_SETTINGS = """
# Parley's settings, for a small machine. Written once: yours to change.
shared_buffers = '128MB'
max_connections = 60
work_mem = '8MB'
max_wal_size = '512MB'
random_page_cost = 1.1
jit = off
fsync = on
synchronous_commit = on
autovacuum_naptime = '15s'  # statistics keep up with a table that begins to fill
idle_in_transaction_session_timeout = '60s'  # a forgotten transaction stalls the feed
timezone = 'UTC'
log_timezone = 'UTC'
logging_collector = on
log_filename = 'postgresql-%a.log'
log_truncate_on_rotation = on
log_rotation_age = '1d'
log_rotation_size = 0
log_line_prefix = '%m [%p] %u@%d '
log_lock_waits = on
log_min_duration_statement = '2s'
"""

PRIVACY = {"log_parameter_max_length": "0", "log_error_verbosity": "terse"}
"""Given at every start, so that old clusters have them too: PostgreSQL's log tells no words of people, neither as
parameters of slow statements nor as rows quoted in the DETAIL of errors."""


@dataclass(frozen=True, slots=True)
class Cluster:
    """Paths of one cluster, and the questions that its files answer."""

    root: Path
    """`postgres` in Parley's data directory."""

    @property
    def home(self) -> Path:
        """What belongs to the account that runs PostgreSQL."""
        return self.root / "cluster"

    @property
    def data(self) -> Path:
        """PGDATA."""
        return self.home / "data"

    @property
    def run(self) -> Path:
        """The directory of the unix socket."""
        return self.home / "run"

    @property
    def log(self) -> Path:
        """The directory of the logs; `startup.log` has what was said before PostgreSQL opened its own."""
        return self.home / "log"

    @property
    def has_socket(self) -> bool:
        """Whether a unix socket can be used; else PostgreSQL listens on 127.0.0.1."""
        path = os.fsencode(self.run / f".s.PGSQL.{_SOCKET_PORT}")
        return len(path) <= SOCKET_PATH_BYTES and b"," not in path  # libpq and asyncpg split hosts at commas

    @property
    def port(self) -> int:
        """The port PostgreSQL listens on, which stays the same from start to start."""
        if self.has_socket:
            return _SOCKET_PORT
        return int((self.root / "port").read_text())

    def major(self) -> int | None:
        """Return the major version that made the data, None when there is none yet.

        Raises: DataDirectoryUnusable when PG_VERSION is no version.
        """
        try:
            text = (self.data / "PG_VERSION").read_text().strip()
        except FileNotFoundError:
            return None
        if not text.isdigit():
            raise DataDirectoryUnusable(
                f"{self.data}/PG_VERSION holds {text!r}, which is no version of PostgreSQL."
            )
        return int(text)

    def dsn(self, database: str = DATABASE) -> str:
        """Return the address of a database for asyncpg and libpq, the password in it."""
        password = quote(self._read_password(), safe="")
        if not self.has_socket:
            return f"postgresql://{SUPERUSER}:{password}@127.0.0.1:{self.port}/{quote(database)}"
        where = f"host={quote(str(self.run), safe='')}&port={self.port}"
        return f"postgresql://{SUPERUSER}:{password}@/{quote(database)}?{where}"

    def make_directories(self) -> None:
        """Make Parley's own directories. Others may pass through them, never look into them: root's PostgreSQL
        runs as somebody else."""
        mode = 0o711 if os.geteuid() == 0 else 0o700
        self.root.parent.mkdir(parents=True, mode=mode, exist_ok=True)
        self.root.mkdir(mode=mode, exist_ok=True)
        self.home.mkdir(mode=0o700, exist_ok=True)

    def choose_port(self, *, afresh: bool = False) -> None:
        """Keep a free port of 127.0.0.1 on file where no unix socket can be had."""
        path = self.root / "port"
        if self.has_socket or (path.exists() and not afresh):
            return
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            path.write_text(str(probe.getsockname()[1]))

    def create(self, binaries: Binaries, account: Account) -> None:
        """Make a new cluster with a random password; all or nothing, so a kill in between leaves none.

        Raises: PostgresStartFailed with the words of initdb.
        """
        fresh = self.home / "data.new"
        shutil.rmtree(fresh, ignore_errors=True)
        password = self._make_password()
        handed_over = self.home / "password.new"  # what the account may read; gone after initdb
        _write_secret(handed_over, password)
        os.chown(handed_over, account.uid, account.gid)
        options: list[str | Path] = [
            "--pgdata",
            fresh,
            "--username",
            SUPERUSER,
            "--pwfile",
            handed_over,
            "--auth=scram-sha-256",
        ]
        options += ["--encoding=UTF8", "--data-checksums", "--no-instructions", "--lc-messages=C"]
        try:
            process = account.popen(
                [binaries.tool("initdb"), *options, *_locale_options(binaries.major)],
                cwd="/",
                env=environment(),
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
            )
            output = process.communicate()[0].decode(errors="replace")
        finally:
            handed_over.unlink()
        if process.returncode != 0:
            raise PostgresStartFailed(f"initdb failed: {output.strip()[-2000:]}")
        with (fresh / "postgresql.conf").open("a") as file:
            file.write(_SETTINGS)
        fresh.rename(self.data)

    def prepare_places(self, account: Account) -> None:
        """Make the places of socket and logs, owned by the account."""
        for path in (self.run, self.log):
            path.mkdir(mode=0o700, exist_ok=True)
            os.chown(path, account.uid, account.gid)

    def last_words(self) -> str:
        """Return the end of the newest logs, for the message of a failed start."""
        logs = sorted(self.log.glob("postgresql-*.log"), key=lambda path: path.stat().st_mtime)[-1:]
        lines: list[str] = []
        for path in [*logs, self.log / "startup.log"]:
            lines += path.read_text(errors="replace").splitlines()[-12:]
        return "\n".join(lines)

    def _read_password(self) -> str:
        try:
            return (self.root / "password").read_text().strip()
        except FileNotFoundError as error:
            raise DataDirectoryUnusable(
                f"{self.root}/password is missing, which opens the database; bring it back from a backup."
            ) from error

    def _make_password(self) -> str:
        password = secrets.token_urlsafe(24)
        (self.root / "password").unlink(missing_ok=True)
        _write_secret(self.root / "password", password)
        return password


def environment() -> dict[str, str]:
    """Return our environment without what would turn PostgreSQL's head."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("PG", "LC_", "LANG"))}


def _locale_options(major: int) -> list[str]:
    # With plain C, pg_trgm finds no trigrams in Cyrillic; ICU is missing from the wheel.
    if major >= 17:
        ctype = "C.UTF-8" if sys.platform == "linux" else "C"
        return ["--locale=C", f"--lc-ctype={ctype}", "--locale-provider=builtin", "--builtin-locale=C.UTF-8"]
    return ["--locale=C.UTF-8"]


def _write_secret(path: Path, text: str) -> None:
    path.unlink(missing_ok=True)
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w") as file:
        file.write(text)
