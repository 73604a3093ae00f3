"""``es.append`` takes the events of a batch as one array of rows."""

from pathlib import Path

from complaints.adapters.migrations.scripts import run_script

revision = "es_0002"
down_revision = "es_0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Replaces the function."""
    run_script(Path(__file__).with_suffix(".sql"))


def downgrade() -> None:
    """Refused: the services of this version cannot append without it."""
    raise RuntimeError("es.append is not put back by a migration")
