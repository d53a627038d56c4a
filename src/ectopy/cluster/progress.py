"""What a stream has done, from Spark's own metrics, in a line for people."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from pyspark.sql.streaming.listener import StreamingQueryProgress

OBSERVATION = "records"
"""Name of what Spark observes in the records of a batch: `PATIENTS` and `NEWEST`."""
PATIENTS, NEWEST = "patients", "newest"


@dataclass(frozen=True, slots=True)
class BatchProgress:
    """One micro-batch.

    Attributes
    ----------
    records : int
        Of all input topics, ticks included.
    patients : int
        Who sent in this batch, to within some percent.
    duration_s : float
    lag_s : float or None
        Age of the newest record at the end of the batch, None without records.
    waiting : int
        Records that wait in the topics.
    state_bytes : int
        Written to the state stores, before compression.
    stored_bytes : int
        Of the state, in memory and on the disks of the executors.
    """

    batch: int
    records: int
    patients: int
    duration_s: float
    lag_s: float | None
    waiting: int
    state_bytes: int
    stored_bytes: int


def batch_progress(progress: StreamingQueryProgress) -> BatchProgress:
    """Read the progress of a batch as Spark reports it."""
    duration_s = progress.batchDuration / 1000
    observed = progress.observedMetrics.get(OBSERVATION)
    newest = None if observed is None else observed[NEWEST]
    begin = datetime.fromisoformat(progress.timestamp).timestamp()
    operators = progress.stateOperators
    return BatchProgress(
        progress.batchId,
        progress.numInputRows,
        0 if observed is None else int(observed[PATIENTS]),
        duration_s,
        None if newest is None else begin + duration_s - newest / 1000,
        sum(int(source.metrics.get("maxOffsetsBehindLatest", 0)) for source in progress.sources),
        sum(int(operator.customMetrics.get("rocksdbTotalBytesWritten", 0)) for operator in operators),
        sum(int(operator.memoryUsedBytes) for operator in operators),
    )


def progress_text(batches: Sequence[BatchProgress], over_s: float) -> str:
    """Say in a line what happened in the last seconds."""
    if not batches:
        return f"no batch in {over_s:.0f} s"
    patients = max(batch.patients for batch in batches)
    durations = sorted(batch.duration_s for batch in batches)
    lags = [batch.lag_s for batch in batches if batch.lag_s is not None]
    per_patient = sum(batch.state_bytes for batch in batches) / over_s / max(patients, 1) / 1000
    return (
        f"{patients} patients, {sum(batch.records for batch in batches):,} records in {len(batches)} batches; "
        f"batch {durations[len(durations) // 2]:.1f} s, at most {durations[-1]:.1f} s; "
        f"newest record {max(lags, default=0.0):.1f} s old, {batches[-1].waiting:,} waiting; "
        f"state written {per_patient:.1f} kB per patient and second"
    )
