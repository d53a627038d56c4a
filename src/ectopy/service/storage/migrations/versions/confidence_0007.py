"""How far to trust what a beat is called."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Make room for it."""
    op.add_column(
        "beats",
        sa.Column(
            "confidence", sa.Text(), nullable=True, comment="none for the most part: the patient's normal is known"
        ),
    )
