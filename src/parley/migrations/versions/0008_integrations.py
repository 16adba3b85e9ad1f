"""Integrations: what is published to brokers, external ids, fields."""

from parley.infra.migrate import execute_file

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0008_integrations.sql")
