"""The chat application's dialect: names of newcomers."""

from parley.infra.migrate import execute_file

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0011_chatapp.sql")
