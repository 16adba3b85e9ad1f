"""Indexes for what people look up: their contacts, their conversations, what repeats a deleted message's words."""

from parley.infra.migrate import execute_file

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the indexes."""
    execute_file("0003_indexes.sql")
