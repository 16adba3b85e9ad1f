"""Claimed work: what makes claims cheap."""

from parley.infra.migrate import execute_file

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0010_intake.sql")
