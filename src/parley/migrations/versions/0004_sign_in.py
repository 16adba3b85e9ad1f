"""Signing in by phone, second factors, passkeys."""

from parley.infra.migrate import execute_file

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0004_sign_in.sql")
