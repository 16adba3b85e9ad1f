"""Folding a text for search: the same, cheaper."""

from parley.infra.migrate import execute_file

revision = "0012"
down_revision = "0011"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0012_search_fold.sql")
