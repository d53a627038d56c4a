"""The table of offsets: how far the topics of a cluster have been read."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "offsets"
down_revision = "initial"


def upgrade() -> None:
    """Add the table."""
    op.create_table(
        "offsets",
        sa.Column("topic", sa.Text, nullable=False),
        sa.Column("partition", sa.Integer, autoincrement=False, nullable=False),
        sa.Column("next", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition", name="pk_offsets"),
    )
