"""Which files are a recording, and under which names they are stored."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.errors import DataError
from ectopy.service.recordings.uploads import layout_of


@pytest.mark.parametrize(
    ("names", "title", "main", "names_stored"),
    [
        (["My ECG (1).EDF"], "My ECG (1).EDF", "recording.edf", ["recording.edf"]),
        (["../../etc/passwd.csv"], "passwd.csv", "recording.csv", ["recording.csv"]),
        (["C:\\Users\\a\\b.npy"], "b.npy", "recording.npy", ["recording.npy"]),
        (["100.atr", "100.hea", "100.dat"], "100", "100.hea", ["100.atr", "100.hea", "100.dat"]),
        (["s1_2.hea", "s1.hea", "s1_2.dat"], "s1", "s1.hea", ["s1_2.hea", "s1.hea", "s1_2.dat"]),
    ],
)
def test_files_of_a_recording(names, title, main, names_stored):
    layout = layout_of(names)
    assert (layout.title, layout.main, list(layout.names)) == (title, main, names_stored)


@pytest.mark.parametrize(
    ("names", "reason"),
    [
        ([], "form field 'files'"),
        (["a.edf"] * 65, "65 files"),
        (["a.doc"], "^'a.doc' is not a recording"),
        ([""], "not a recording"),
        (["a.dat"], "not a recording"),
        (["a.edf", "b.edf"], "^'a.edf', 'b.edf' are not one recording"),
        (["100.hea", "200.hea"], "several records"),
        (["100.hea"], "^'100.hea' describes .* upload all files of the record together"),
        (["s1_2.hea", "s1.hea"], "^'s1_2.hea', 's1.hea' describe .* upload all files of the record together"),
        (["100.HEA"], "upload all files of the record together"),
        (["100.hea", "../100.dat"], "cannot be the name"),
        (["100.hea", "..\\100.dat"], "cannot be the name"),
        (["100.hea", "a/../100.dat"], "cannot be the name"),
        (["100.hea", ".."], "cannot be the name"),
        (["/100.hea"], "cannot be the name"),
        (["100.hea", "100.dat\0"], "cannot be the name"),
        (["100.hea", "100.DAT", "100.dat"], "same name"),
    ],
)
def test_files_that_are_not_one_recording(names, reason):
    with pytest.raises(DataError, match=reason):
        layout_of(names)


@given(
    st.lists(st.text("./\\~a0\0 :hed\n", max_size=12).map(lambda name: f"{name}.hea") | st.just("a.dat"), max_size=3)
)
def test_no_name_leads_out_of_the_folder(names):
    try:
        stored_names = layout_of(names).names
    except DataError:
        return
    folder = Path("/folder")
    assert all((folder / name).resolve().parent == folder for name in stored_names)
