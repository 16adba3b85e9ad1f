"""How often the database was put back, and which database of its cluster it is."""

from parley.infra.migrate import execute_file

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Count restores; name the database beside its cluster."""
    execute_file("0002_restores.sql")
