"""Events by their time, so that old ones are found."""

from __future__ import annotations

from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Make the index."""
    op.create_index(op.f("ix_events_patient_id_time"), "events", ["patient_id", "time"], unique=False)
