"""Annotations of any kind, and files of them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from hypothesis import strategies as st

from ectopy import formats
from ectopy.formats.annotation_codes import CODES
from ectopy.formats.annotation_files import Mark, collect


def write_marks(path: Path, marks: Sequence[Mark], rate: float = 250) -> None:
    formats.write_annotations(path, collect(marks), rate)


_NOTES = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), max_size=40)
MARKS = st.lists(
    st.builds(
        Mark,
        st.integers(1, 2**40),
        st.sampled_from(sorted(CODES)),
        st.integers(-128, 127),
        _NOTES.filter(lambda note: len(note.encode()) <= 255),
    ),
    max_size=20,
)
MARKED = [Mark(0, "+", 0, "(N"), Mark(18, "N"), Mark(5000, "~", -1), Mark(9_000_000, "~", 0), Mark(9_000_400, "V", 3)]
