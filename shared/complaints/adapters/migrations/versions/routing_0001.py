"""What routing keeps: cases as it sees them, who acts in them, how much work each has, matters, commands."""

from pathlib import Path

from alembic import op

from complaints.adapters.inbox import tables
from complaints.adapters.migrations.scripts import run_script

revision = "routing_0001"
down_revision = None
branch_labels = ("routing",)
depends_on = None


def upgrade() -> None:
    """Creates the schema from the script beside this module, and the inbox."""
    run_script(Path(__file__).with_suffix(".sql"))
    for statement in tables("routing"):
        op.execute(statement)


def downgrade() -> None:
    """Forgets all of it; reading the topic from its beginning makes it anew."""
    op.execute("DROP SCHEMA routing CASCADE")
