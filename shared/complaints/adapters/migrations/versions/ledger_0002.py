"""What the ledger keeps of the reports that it owes, and of what earlier reports have counted."""

from alembic import op

revision = "ledger_0002"
down_revision = "ledger_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Creates the list of reports."""
    op.execute(
        """
        CREATE TABLE ledger.report (
            desk text NOT NULL,
            owe text NOT NULL,
            period text NOT NULL,
            position bigint NOT NULL,           -- of the event that opened the duty: the cases count as they stood then
            version int NOT NULL,
            sent_at timestamptz,                -- null: its figures have not been asked to be recorded yet
            memory jsonb,                       -- what this report and those before it have counted
            PRIMARY KEY (desk, owe, period)
        )
        """
    )
    op.execute("CREATE INDEX report_due ON ledger.report (position) WHERE sent_at IS NULL")


def downgrade() -> None:
    """Forgets the list; reports that were recorded stay recorded."""
    op.execute("DROP TABLE ledger.report")
