"""Attempts that a hold or a rule about who may act has refused: no events, and yet something to tell of a rule."""

from alembic import op

revision = "refusals_0001"
down_revision = None
branch_labels = ("refusals",)
depends_on = ("es_0001",)


def upgrade() -> None:
    """The table; a command that is sent again is the same attempt."""
    op.execute(
        """
        CREATE TABLE es.refusal (
            complaint uuid NOT NULL,
            rule text NOT NULL,                 -- the hold or bar
            command_id uuid NOT NULL,
            desk text NOT NULL,
            command text NOT NULL,
            role text NOT NULL,                 -- who tried; no person is named
            at timestamptz NOT NULL,
            noted_at timestamptz NOT NULL DEFAULT clock_timestamp(),
            PRIMARY KEY (complaint, rule, command_id)
        )
        """
    )


def downgrade() -> None:
    """Forgets them."""
    op.execute("DROP TABLE es.refusal")
