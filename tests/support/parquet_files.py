"""Parquet files."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest


def write_parquet(path: Path, columns: Mapping[str, object]) -> None:
    """Write columns by their names; the test is skipped where pyarrow is not installed."""
    pyarrow = pytest.importorskip("pyarrow", reason="the extra 'formats' is not installed")
    from pyarrow import parquet

    parquet.write_table(pyarrow.table(dict(columns)), path)
