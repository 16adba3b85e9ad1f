"""Search of messages."""

from parley.infra.migrate import execute_file

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0007_search.sql")
