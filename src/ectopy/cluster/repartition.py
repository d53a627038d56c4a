"""Give a stream another number of shards: a new checkpoint with the states of an old one, to go on where it ended."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from zlib import crc32

import pandas as pd
from py4j.protocol import Py4JJavaError
from pyspark.errors import PySparkException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf

from ectopy.cluster.checkpoint import VERSION, checkpoint_with_states, read_manifest
from ectopy.cluster.hadoop_files import HadoopFolder
from ectopy.cluster.input_log import StoredInput, part_name, read_inputs, write_inputs
from ectopy.cluster.processor import PARTS
from ectopy.cluster.query_failures import reason_of
from ectopy.cluster.shard import INDEX, SHARD, IndexEntry, ShardIndex
from ectopy.cluster.shard_keys import check_shards, shard_column, shard_keys
from ectopy.errors import SettingError
from ectopy.monitor.codec import decode, encode
from ectopy.monitor.snapshot import SNAPSHOT_VERSION


def repartition(spark: SparkSession, checkpoint: str, to: str, shards: int) -> int:
    """Write a new checkpoint with the states of a stopped stream in so many shards.

    The old checkpoint is left as it is. Records that it had begun and not ended to process are processed again: their
    events have the same numbers. If this is interrupted, no stream begins with the new checkpoint; call it again.

    Returns
    -------
    int
        Number of patients.

    Raises
    ------
    SettingError
        If `checkpoint` is none or has processed nothing yet, `to` is not empty, or `shards` is out of range.
    """
    check_shards(shards)
    manifest = read_manifest(spark, checkpoint)
    offsets = committed_offsets(HadoopFolder(spark, checkpoint))
    if manifest is None or offsets is None:
        raise SettingError(f"{checkpoint} is not a checkpoint that has processed anything; name one that has.")
    if manifest.version != VERSION or manifest.states > SNAPSHOT_VERSION:
        raise SettingError(f"{checkpoint} was made by another Ectopy; use the one that made it.")
    after = replace(manifest, shards=shards, starting_offsets=offsets)
    keys = shard_keys(spark, shards)
    try:
        parts = _parts(spark, checkpoint)
        of_shards, of_patients = parts.where(sf.col("patient") == SHARD), parts.where(sf.col("patient") != SHARD)
        rows = of_shards.where(sf.col("part") == INDEX).collect()
        indexes = {row.key: decode(ShardIndex, bytes(row.content)) for row in rows}
        step = max((index.step for index in indexes.values()), default=0)
        later = {key: step - index.step for key, index in indexes.items()}
        new_indexes = _divided(list(indexes.values()), step, shards)
        states = of_patients.select(
            shard_column(keys, sf.encode("patient", "UTF-8")).alias("shard"), "patient", "part", "content"
        )
        inputs = (
            of_shards.where(sf.col("part") != INDEX)
            .mapInPandas(partial(_divided_inputs, later=later, keys=keys), f"{_COLUMNS}, step long")
            .groupBy("shard", "step")
            .applyInPandas(_joined_inputs, _COLUMNS)
        )
        index_rows = [(keys[shard], SHARD, INDEX, encode(index)) for shard, index in enumerate(new_indexes)]
        rows_now = states.union(inputs).union(spark.createDataFrame(index_rows, _COLUMNS))
        with checkpoint_with_states(spark, to, after) as folder:
            rows_now.repartition(shards, "shard").write.parquet(folder, mode="overwrite")
    except (PySparkException, Py4JJavaError) as error:
        raise SettingError(f"the states in {checkpoint} cannot be moved to {to}: {reason_of(error)}") from error
    return sum(len(index.patients) for index in new_indexes)


_COLUMNS = "shard int, patient string, part string, content binary"


def _parts(spark: SparkSession, checkpoint: str) -> DataFrame:
    """Read all parts of all states as they were after the last batch that was completed."""
    # Spark reads states through a coordinator that starts with the manager of queries, at its first call.
    spark.streams.resetTerminated()
    state = spark.read.format("statestore").option("stateVarName", PARTS).load(checkpoint)
    return state.select(
        sf.col("key.shard").alias("key"),
        sf.col("user_map_key.patient").alias("patient"),
        sf.col("user_map_key.part").alias("part"),
        sf.col("user_map_value.content").alias("content"),
    )


def _divided(indexes: Sequence[ShardIndex], step: int, shards: int) -> list[ShardIndex]:
    """Divide the patients of all shards among others, which have all made so many steps.

    All shards have read the topics equally far.
    """
    patients: list[dict[str, IndexEntry]] = [{} for _ in range(shards)]
    for index in indexes:
        for patient, entry in index.patients.items():
            entry_now = replace(entry, stored_at=entry.stored_at + step - index.step)
            patients[_shard(patient, shards)][patient] = entry_now
    first = indexes[0] if indexes else ShardIndex()
    return [replace(first, step=step, patients=part) for part in patients]


def _shard(patient: str, shards: int) -> int:
    return crc32(patient.encode()) % shards


def _divided_inputs(
    frames: Iterable[pd.DataFrame], later: Mapping[int, int], keys: Sequence[int]
) -> Iterator[pd.DataFrame]:
    """Divide the inputs of steps of shards among others, of which the same steps have later numbers."""
    for frame in frames:
        rows = []
        for key, content in zip(frame["key"], frame["content"], strict=True):
            inputs_then = read_inputs(bytes(content))
            step = inputs_then.step + later[key]
            by_shard: dict[int, dict[str, tuple[StoredInput, ...]]] = {}
            for patient, inputs in inputs_then.inputs.items():
                by_shard.setdefault(_shard(patient, len(keys)), {})[patient] = inputs
            # A step in which nothing was left to store has a part, too.
            for shard, shard_key in enumerate(keys):
                content = write_inputs(step, by_shard.get(shard, {}))
                rows.append((shard_key, SHARD, part_name(step), content, step))
        yield pd.DataFrame(rows, columns=["shard", "patient", "part", "content", "step"])


def _joined_inputs(frame: pd.DataFrame) -> pd.DataFrame:
    """Join the inputs of one step of a shard."""
    inputs: dict[str, tuple[StoredInput, ...]] = {}
    for content in frame["content"]:
        inputs |= read_inputs(bytes(content)).inputs
    first = frame.iloc[:1].drop(columns="step")
    return first.assign(content=[write_inputs(int(frame["step"].iloc[0]), inputs)])


def committed_offsets(checkpoint: HadoopFolder) -> str | None:
    """Return up to where the topics are processed, as Spark's JSON by topic and partition; None if nowhere."""
    batches = [int(name) for name in checkpoint.folder("commits").names() if name.isdecimal()]
    if not batches:
        return None
    content = checkpoint.folder("offsets").read(str(max(batches)))
    # The version, the query's settings, and a line for each source.
    return None if content is None else content.decode().splitlines()[2]
