"""For whom a key sends, and until when it is good; keys from before go on sending for any patient."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the columns."""
    op.add_column("keys", sa.Column("patients", sa.Text(), comment="JSON: for whom it sends; NULL = any patient"))
    devices = "JSON: as which devices it sends"
    op.add_column("keys", sa.Column("devices", sa.Text(), nullable=False, server_default="[]", comment=devices))
    op.add_column("keys", sa.Column("expires", sa.Double(), comment="NULL = never"))
