"""A scheduled reply keeps the words it quotes."""

from parley.infra.migrate import execute_file

revision = "0015"
down_revision = "0014"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0015_scheduled_quote.sql")
