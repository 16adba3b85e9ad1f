"""What can keep the embedded PostgreSQL from running, each with what to do about it."""

from __future__ import annotations

from typing import ClassVar

from parley.kit.errors import Kind, ParleyError


class PostgresError(ParleyError):
    """The embedded PostgreSQL does not run."""

    code: ClassVar[str] = "postgres_failed"
    kind: ClassVar[Kind] = Kind.UNAVAILABLE


class PostgresMissing(PostgresError):
    """No PostgreSQL that fits was found on this machine."""

    code = "postgres_missing"


class PostgresStartFailed(PostgresError):
    """PostgreSQL was started and did not come up; its own words are in the message."""

    code = "postgres_start_failed"


class DataDirectoryInUse(PostgresError):
    """Another Parley runs on this data directory."""

    code = "data_directory_in_use"
    kind = Kind.CONFLICT


class DataDirectoryUnusable(PostgresError):
    """The data directory is not one that PostgreSQL can work in."""

    code = "data_directory_unusable"
