"""Groups: invite links, bans, what a member keeps for itself."""

from parley.infra.migrate import execute_file

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0005_groups.sql")
