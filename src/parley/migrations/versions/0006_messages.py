"""Messages: mentions, pins, schedules, drafts, what was deleted for one alone."""

from parley.infra.migrate import execute_file

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0006_messages.sql")
