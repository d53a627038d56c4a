"""Files that were cut short anywhere: refused in one sentence, and on request read in part, as the whole is there."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import ectopy
from ectopy.errors import DataError
from support import aecg_files, dicom_files, ishne_files, muse_files, scp_files, sierra_files
from support.examples import examples
from support.refusals import refusal

_SOME = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=examples(20))


def _csv(path: Path) -> Path:
    rows = [f"{row / 250:.4f},{row % 7 - 3:.4f},{row % 5:.4f}" for row in range(200)]
    path.write_text("\n".join(["time (s),II (mV),V1 (mV)", *rows, ""]))
    return path


_FILES: dict[str, tuple[str, Callable[[Path], Path]]] = {
    "ishne": ("r.ecg", ishne_files.ishne),
    "scp": ("r.scp", lambda path: scp_files.scp(path, scp_files.SECTIONS)),
    "dicom": (
        "r.dcm",
        lambda path: dicom_files.dicom(path, dicom_files.group(dicom_files.COUNTS, dicom_files.LEADS)),
    ),
    "muse": ("r.xml", muse_files.muse),
    "aecg": (
        "r.xml",
        lambda path: aecg_files.aecg(path, aecg_files.series(aecg_files.times(), *aecg_files.LEADS)),
    ),
    "sierra": ("r.xml", lambda path: sierra_files.sierra(path, sierra_files.stored(sierra_files.COUNTS))),
    "csv": ("r.csv", _csv),
}


@pytest.mark.parametrize("kind", _FILES)
@given(share=st.floats(0, 1, exclude_max=True))
@_SOME
def test_a_part_is_refused_or_equals_the_whole_as_far_as_it_goes(tmp_path: Path, kind: str, share: float):
    name, write = _FILES[kind]
    path = write(tmp_path / name)
    whole = ectopy.read(path)
    content = path.read_bytes()
    path.write_bytes(content[: int(share * len(content))])
    try:
        strict = ectopy.read(path)
    except DataError:
        refusal(path)
        strict = None
    try:
        part = ectopy.read(path, partial=True)
    except DataError:
        refusal(path, partial=True)
        return
    assert set(part.leads) <= set(whole.leads)
    assert len(part.signal) <= len(whole.signal)
    columns = [whole.leads.index(lead) for lead in part.leads]
    expected = whole.signal[: len(part.signal), columns]
    intact = np.isfinite(part.signal)
    if strict is None:
        assert set(part.notes) - set(whole.notes)
    if kind == "csv":  # of a number at the end of a row nobody knows how many digits it had
        intact[-1] = False
    np.testing.assert_array_equal(part.signal[intact], expected[intact])
