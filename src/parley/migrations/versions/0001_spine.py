"""The spine: workspaces, actors, streams, messages, desk, journal, ledger, jobs."""

from parley.infra.migrate import execute_file

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create the tables of the spine."""
    execute_file("0001_spine.sql")
