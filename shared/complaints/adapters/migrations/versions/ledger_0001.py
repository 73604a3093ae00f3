"""What the ledger keeps beside its read models: which versions of them there are, and its inbox.

The read models themselves lie in schemas of their own, ``rm_<name>_v<n>``, which the ledger makes: each is the code's
own shape at the time, is built from the log beside the one before, and can be thrown away.
"""

from alembic import op

from complaints.adapters.inbox import tables

revision = "ledger_0001"
down_revision = None
branch_labels = ("ledger",)
depends_on = None


def upgrade() -> None:
    """Creates the schema, the list of versions and the inbox."""
    op.execute("CREATE SCHEMA ledger")
    op.execute(
        """
        CREATE TABLE ledger.read_model (
            name text NOT NULL,
            version int NOT NULL,
            phase text NOT NULL CHECK (phase IN ('building', 'live', 'retired')),
            shape text NOT NULL,                -- digest of what the code that made it keeps there
            changed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (name, version)
        )
        """
    )
    op.execute("CREATE UNIQUE INDEX read_model_live ON ledger.read_model (name) WHERE phase = 'live'")
    for statement in tables("ledger"):
        op.execute(statement)


def downgrade() -> None:
    """Forgets all of it, the read models too; the log has everything they held."""
    op.execute(
        """
        DO $$ DECLARE found record; BEGIN
            FOR found IN SELECT name, version FROM ledger.read_model LOOP
                EXECUTE format('DROP SCHEMA IF EXISTS %I CASCADE', 'rm_' || found.name || '_v' || found.version);
            END LOOP;
        END $$
        """
    )
    op.execute("DROP SCHEMA ledger CASCADE")
