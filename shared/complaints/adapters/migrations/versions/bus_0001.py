"""What the bus keeps beside the record: how far checkpoints are published, and the commands that nobody can decide."""

from alembic import op

from complaints.adapters.inbox import dead_letter_table

revision = "bus_0001"
down_revision = None
branch_labels = ("bus",)
depends_on = ("es_0001",)


def upgrade() -> None:
    """A column of the relay's place, and intake's dead letters."""
    op.execute("ALTER TABLE es.relay ADD COLUMN checkpoint_size bigint NOT NULL DEFAULT 0")
    for statement in dead_letter_table("es"):
        op.execute(statement)


def downgrade() -> None:
    """Forgets both."""
    op.execute("DROP TABLE es.dead_letter")
    op.execute("ALTER TABLE es.relay DROP COLUMN checkpoint_size")
