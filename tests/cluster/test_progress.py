"""The line of progress is made of Spark's own figures."""

from __future__ import annotations

from dataclasses import replace

import pytest

pytest.importorskip("pyspark")

from ectopy.cluster.progress import BatchProgress, progress_text

BATCH = BatchProgress(
    batch=7, records=400, patients=200, duration_s=1.5, lag_s=2.5, waiting=12, state_bytes=2_000_000, stored_bytes=0
)


def test_state_is_given_per_patient_and_second():
    text = progress_text([BATCH] * 30, 60.0)
    assert "200 patients, 12,000 records in 30 batches" in text
    assert "state written 5.0 kB per patient and second" in text
    assert "batch 1.5 s, at most 1.5 s; newest record 2.5 s old, 12 waiting" in text


def test_the_worst_batch_is_named():
    text = progress_text([BATCH, BATCH, replace(BATCH, duration_s=9.0, lag_s=11.0)], 60.0)
    assert "batch 1.5 s, at most 9.0 s; newest record 11.0 s old" in text


def test_a_minute_without_a_batch_is_said():
    assert progress_text([], 60.0) == "no batch in 60 s"
