"""With what confidence beats are named; none is known of those from before."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add the column."""
    op.add_column("beats", sa.Column("confidence", sa.Text(), nullable=False, server_default=""))
