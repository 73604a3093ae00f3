"""Pack files by content hash, kept for ever."""

from alembic import op

revision = "desks_0001"
down_revision = None
branch_labels = ("desks",)
depends_on = ("es_0001",)


def upgrade() -> None:
    """Creates ``es.pack``; a row is never changed."""
    op.execute(
        """
        CREATE TABLE es.pack (
            digest text PRIMARY KEY CHECK (digest = encode(sha256(convert_to(text, 'UTF8')), 'hex')),
            text text NOT NULL,
            source text,                    -- the procedure's own words; the pack's quotations are looked up there
            kept_at timestamptz NOT NULL DEFAULT now()
        )
        """
    )


def downgrade() -> None:
    """Refused: cases were decided under these packs."""
    raise RuntimeError("packs are kept for ever")
