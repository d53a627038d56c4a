"""The number of patients in time is the largest up to which all were."""

from __future__ import annotations

import math

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

from ectopy.benchmarks.cluster_benchmark import patients_in_time


def row(patients: int, answered: float, latency_p95_s: float) -> dict[str, dict[str, float]]:
    return {
        "engine": {"patients": patients, "realtime_factor": answered},
        "stream": {"patients": patients, "latency_p95_s": latency_p95_s},
    }


def test_each_engine_has_a_number_of_patients_in_time():
    growth = [row(500, 0.997, 31.0), row(10, 1.0, 5.0), row(300, 1.0, 6.0), row(750, 0.29, 40.0)]
    assert patients_in_time(growth) == {"engine": 500, "stream": 300, "share": 0.6}


def test_a_number_counts_only_if_all_smaller_ones_were_in_time():
    growth = [row(10, 1.0, 9.0), row(100, 0.5, 5.0), row(300, 1.0, 5.0)]
    assert patients_in_time(growth) == {"engine": 10, "stream": 0, "share": 0.0}


def test_nothing_that_was_not_measured_is_in_time():
    assert patients_in_time([row(10, 0.0, math.nan)]) == {"engine": 0, "stream": 0, "share": 0.0}
