"""Which shard a patient belongs to, independent of the partitions of Kafka."""

from __future__ import annotations

from collections.abc import Sequence

from pyspark.sql import Column, SparkSession
from pyspark.sql import functions as sf

from ectopy.errors import SettingError

MOST_SHARDS = 4096


def check_shards(shards: int) -> None:
    """Raise a `SettingError` if a stream cannot have so many shards."""
    if not 1 <= shards <= MOST_SHARDS:
        raise SettingError(f"a stream has 1 to {MOST_SHARDS} shards, not {shards}.")


def shard_keys(spark: SparkSession, shards: int) -> list[int]:
    """Return a key for each shard such that each is the only one in its partition, which one core steps at a time."""
    partition = sf.pmod(sf.hash(sf.col("id").cast("int")), sf.lit(shards)).alias("partition")
    numbers = spark.range(64 * shards + 256).select("id", partition)
    rows = numbers.groupBy("partition").agg(sf.min("id").alias("id")).collect()
    keys = {row["partition"]: row["id"] for row in rows}
    return [keys[partition] for partition in range(shards)]


def shard_column(keys: Sequence[int], patient: Column) -> Column:
    """Return the key of the shard of a patient, who is UTF-8; the first one if there is none."""
    number = sf.pmod(sf.coalesce(sf.crc32(patient), sf.lit(0)), sf.lit(len(keys)))
    return sf.element_at(sf.array(*map(sf.lit, keys)), (number + 1).cast("int"))
