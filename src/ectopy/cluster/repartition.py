"""Give a stream another number of shards: a new checkpoint with the states of an old one, to go on where it ended."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from zlib import crc32

from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from ectopy.cluster.checkpoint import INITIAL, create_checkpoint, read_manifest
from ectopy.cluster.hadoop_files import HadoopFolder
from ectopy.cluster.processor import PARTS
from ectopy.cluster.shard import INDEX, SHARD, IndexEntry, ShardIndex
from ectopy.cluster.shard_keys import shard_column, shard_keys
from ectopy.errors import SettingError
from ectopy.monitor.codec import decode, encode


def repartition(spark: SparkSession, checkpoint: str, to: str, shards: int) -> int:
    """Write a new checkpoint with the states of a stopped stream in so many shards.

    The old checkpoint is left as it is. Records that it had begun and not ended to process are processed again: their
    events have the same numbers.

    Returns
    -------
    int
        Number of patients.

    Raises
    ------
    SettingError
        If `checkpoint` is none or has processed nothing yet, or `to` is not empty.
    """
    manifest = read_manifest(spark, checkpoint)
    offsets = committed_offsets(HadoopFolder(spark, checkpoint))
    if manifest is None or offsets is None:
        raise SettingError(f"{checkpoint} is not a checkpoint that has processed anything; name one that has.")
    after = replace(manifest, shards=shards, starting_offsets=offsets)
    keys = shard_keys(spark, shards)
    try:
        parts = _parts(spark, checkpoint)
        indexes = [decode(ShardIndex, bytes(row.content)) for row in parts.where(sf.col("patient") == SHARD).collect()]
        split = _split(indexes, shards)
        index_rows = [(keys[shard], SHARD, INDEX, encode(index)) for shard, index in enumerate(split)]
        states = parts.where(sf.col("patient") != SHARD).select(
            shard_column(keys, sf.encode("patient", "UTF-8")).alias("shard"), "patient", "part", "content"
        )
        indexed = spark.createDataFrame(index_rows, "shard int, patient string, part string, content binary")
        create_checkpoint(spark, to, after)
        states.union(indexed).repartition(shards, "shard").write.parquet(f"{to}/{INITIAL}")
    except PySparkException as error:
        raise SettingError(f"the states in {checkpoint} cannot be moved to {to}: {error}") from error
    return sum(len(index.patients) for index in split)


def _parts(spark: SparkSession, checkpoint: str) -> DataFrame:
    """Read all parts of all states as they were after the last batch that was completed."""
    state = spark.read.format("statestore").option("stateVarName", PARTS).load(checkpoint)
    return state.select(
        sf.col("user_map_key.patient").alias("patient"),
        sf.col("user_map_key.part").alias("part"),
        sf.col("user_map_value.content").alias("content"),
    )


def _split(indexes: Sequence[ShardIndex], shards: int) -> list[ShardIndex]:
    """Divide the patients of all shards among others; all shards have read the topics equally far."""
    patients: list[dict[str, IndexEntry]] = [{} for _ in range(shards)]
    for index in indexes:
        for patient, entry in index.patients.items():
            patients[crc32(patient.encode()) % shards][patient] = entry
    first = indexes[0] if indexes else ShardIndex()
    return [replace(first, patients=part) for part in patients]


def committed_offsets(checkpoint: HadoopFolder) -> str | None:
    """Return up to where the topics are processed, as Spark's JSON by topic and partition; None if nowhere."""
    batches = [int(name) for name in checkpoint.folder("commits").names() if name.isdecimal()]
    if not batches:
        return None
    content = checkpoint.folder("offsets").read(str(max(batches)))
    # The version, the query's settings, and a line for each source.
    return None if content is None else content.decode().splitlines()[2]
