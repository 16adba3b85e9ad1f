"""Presence: last seen, who may know."""

from parley.infra.migrate import execute_file

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0009_presence.sql")
