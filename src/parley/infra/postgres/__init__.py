"""An embedded PostgreSQL: nothing to install, nothing to configure, the same database as anywhere.

`EmbeddedPostgres` is started by the one process that serves; `join` is for commands beside it.
"""

from parley.infra.postgres.binaries import Binaries, find_binaries
from parley.infra.postgres.errors import (
    DataDirectoryInUse,
    DataDirectoryUnusable,
    PostgresError,
    PostgresMissing,
    PostgresStartFailed,
)
from parley.infra.postgres.server import EmbeddedPostgres, join

__all__ = [
    "Binaries",
    "DataDirectoryInUse",
    "DataDirectoryUnusable",
    "EmbeddedPostgres",
    "PostgresError",
    "PostgresMissing",
    "PostgresStartFailed",
    "find_binaries",
    "join",
]
