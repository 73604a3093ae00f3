"""The keys of data subjects: ``es.subject_key``, and the streams that each is used in."""

from pathlib import Path

from complaints.adapters.migrations.scripts import run_script

revision = "sealing_0001"
down_revision = None
branch_labels = ("sealing",)
depends_on = ("es_0001",)


def upgrade() -> None:
    """Creates the tables from the script beside this module."""
    run_script(Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Refused: without its keys the record cannot be read."""
    raise RuntimeError("keys are destroyed by an erasure, never by a migration")
