"""A checkpoint whose states were not all written."""

from __future__ import annotations

from pyspark.sql import SparkSession

from ectopy.cluster.checkpoint import Manifest, checkpoint_with_states


def write_and_interrupt(spark: SparkSession, folder: str, manifest: Manifest) -> None:
    """Write something in place of the states, and end with a `KeyboardInterrupt`."""
    with checkpoint_with_states(spark, folder, manifest) as states:
        spark.range(3).write.parquet(states)
        raise KeyboardInterrupt
