"""What notifier keeps: messages on their way and what became of them."""

from pathlib import Path

from alembic import op

from complaints.adapters.inbox import tables
from complaints.adapters.migrations.scripts import run_script

revision = "notifier_0001"
down_revision = None
branch_labels = ("notifier",)
depends_on = None


def upgrade() -> None:
    """Creates the schema from the script beside this module, and the inbox."""
    run_script(Path(__file__).with_suffix(".sql"))
    for statement in tables("notifier"):
        op.execute(statement)


def downgrade() -> None:
    """Forgets what was sent: the topic would be read, and everything sent, again."""
    op.execute("DROP SCHEMA notifier CASCADE")
