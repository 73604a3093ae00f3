"""The record: schema ``es``, its tables, and ``es.append``, the one door to them."""

from pathlib import Path

from complaints.adapters.migrations.scripts import run_script

revision = "es_0001"
down_revision = None
branch_labels = ("es",)
depends_on = None


def upgrade() -> None:
    """Creates everything from the script beside this module."""
    run_script(Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Refused: what is on record is never dropped by a program."""
    raise RuntimeError("the record is not dropped by a migration")
