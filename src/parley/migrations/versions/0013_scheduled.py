"""Scheduled messages without a job are found; functions with their owner's rights search temporary tables last."""

from parley.infra.migrate import execute_file

revision = "0013"
down_revision = "0012"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0013_scheduled.sql")
