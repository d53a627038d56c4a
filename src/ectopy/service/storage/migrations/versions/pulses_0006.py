"""Pulse waves beside the leads."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Make room for them."""
    op.add_column(
        "waveforms",
        sa.Column("pulses", sa.LargeBinary(), nullable=True, comment="msgpack; none where there are no pulse waves"),
    )
