"""Who writes in a broadcast is found without its readers."""

from parley.infra.migrate import execute_file

revision = "0014"
down_revision = "0013"


def upgrade() -> None:
    """Change the schema."""
    execute_file("0014_broadcasters.sql")
