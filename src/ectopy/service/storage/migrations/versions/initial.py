"""Tables of the first version.

A new database gets the tables of today at once, and is marked as being of the newest revision; migrations change the
tables of older ones. So that of the first version has nothing to do.
"""

from __future__ import annotations

revision = "initial"
down_revision = None


def upgrade() -> None:
    """Leave the tables as they are."""
