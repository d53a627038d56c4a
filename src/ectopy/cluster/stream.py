"""A stream of samples to events: one query of Spark from Kafka to Kafka, which goes on whatever fails."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from py4j.protocol import Py4JJavaError
from pyspark.errors import StreamingQueryException
from pyspark.sql import DataFrame, SparkSession
from pyspark.sql import functions as sf
from pyspark.sql.streaming.query import StreamingQuery

from ectopy.analysis import shipped_detector
from ectopy.cluster.brokers import Brokers
from ectopy.cluster.checkpoint import Checkpoint, Manifest, open_checkpoint
from ectopy.cluster.processor import OUTPUT_SCHEMA, MonitorSource, ShardProcessor
from ectopy.cluster.progress import NEWEST, OBSERVATION, PATIENTS, BatchProgress, batch_progress, progress_text
from ectopy.cluster.query_failures import reason_of
from ectopy.cluster.session import LOCAL, running_session
from ectopy.cluster.shard_keys import check_shards, shard_column, shard_keys
from ectopy.cluster.topic_records import TICK
from ectopy.cluster.topics import TickWriter, Topics

SHARDS = 2
BATCH_S = 2.0

_MOST_RECORDS = 1000
"""Of one shard in a batch: half a minute of 32 patients who send once a second."""
_MOST_PARTITIONS = 32
_REPORTED_S = 60.0
_POLL_S = 1
_LATE_S = 30.0
_RETRY_S = 5.0

Say = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class StreamSettings:
    """What a stream reads, writes and runs with.

    Attributes
    ----------
    brokers : Brokers
    checkpoint : str
        Folder, on a cluster one that all its machines reach.
    shards : int
        Groups of patients that are stepped together; fixed in the checkpoint.
    detector : str
        A bundle's file, or the name of the one that ships.
    """

    brokers: Brokers
    topics: Topics
    checkpoint: str
    shards: int = SHARDS
    detector: str = shipped_detector.SHIPPED
    learning_s: float = 300.0
    master: str = LOCAL
    jars: Path | None = None
    has_ui: bool = False

    def __post_init__(self) -> None:
        check_shards(self.shards)


def watch(settings: StreamSettings, say: Say, stopping: threading.Event) -> None:
    """Watch all patients whose samples come, until `stopping` is set.

    Parameters
    ----------
    say : callable
        Takes lines for people: what is done, progress once a minute, what fails and that it goes on.

    Raises
    ------
    SettingError
        If the checkpoint was made with something else, a topic of inputs does not have the broker's time, or Spark
        cannot be started.
    ServiceError
        If no broker answers at the start, one refuses this client, or there is no permission for a topic; or if the
        Java process of Spark ends.
    """
    topics, shards = settings.topics, settings.shards
    source = monitor_source(settings)
    for name in topics.create(settings.brokers, min(shards, _MOST_PARTITIONS)):
        say(f"created topic {name}")
    with running_session(
        settings.master,
        name="ectopy cluster watch",
        has_kafka=True,
        place=settings.checkpoint,
        jars=settings.jars,
        has_ui=settings.has_ui,
    ) as spark:
        if settings.detector != shipped_detector.SHIPPED:
            spark.sparkContext.addFile(settings.detector)
        manifest = Manifest(shards, topics.samples, topics.output, source.digest, source.learning_s)
        checkpoint = open_checkpoint(spark, settings.checkpoint, manifest)
        say(f"{topics.samples}, {topics.commands} to {topics.output}, {topics.status}, {topics.rejected}")
        say(f"{shards} shards at {settings.master}; checkpoint {settings.checkpoint}")
        ticks = TickWriter(settings.brokers, topics.samples)
        try:
            _run(spark, settings, checkpoint, source, ticks, say, stopping)
        finally:
            ticks.close()
    say("stopped")


def monitor_source(settings: StreamSettings) -> MonitorSource:
    """Return how the processes of a stream get their monitor, after loading it once."""
    shipped_detector.load_detector(settings.detector)
    digest = shipped_detector.digest(settings.detector)
    is_shipped = settings.detector == shipped_detector.SHIPPED
    bundle = settings.detector if is_shipped else Path(settings.detector).name
    return MonitorSource(bundle, digest, settings.learning_s)


class _Notice:
    """Says what is wrong when it begins and when it changes, and once that it is over."""

    def __init__(self, say: Say, end: str) -> None:
        self._say, self._end = say, end
        self.text = ""

    def set(self, text: str) -> None:
        """Take what is wrong now, empty if nothing is."""
        if text != self.text:
            self._say(text or self._end)
        self.text = text


def _run(
    spark: SparkSession,
    settings: StreamSettings,
    checkpoint: Checkpoint,
    source: MonitorSource,
    ticks: TickWriter,
    say: Say,
    stopping: threading.Event,
) -> None:
    """Run the query, and again whenever it fails, until `stopping` is set."""
    batches, time_stands = _Notice(say, "goes on"), _Notice(say, "ticks come again")
    while not stopping.is_set():
        try:
            query = start_query(spark, settings, checkpoint, source)
            try:
                _follow(query, ticks, batches, time_stands, say, stopping)
            finally:
                query.stop()
        except (StreamingQueryException, Py4JJavaError) as error:
            batches.set(f"failed, and tries again every {_RETRY_S:.0f} s: {reason_of(error)}")
            stopping.wait(_RETRY_S)


def _follow(
    query: StreamingQuery,
    ticks: TickWriter,
    late: _Notice,
    time_stands: _Notice,
    say: Say,
    stopping: threading.Event,
) -> None:
    """Report the progress of the query until `stopping` is set; its failure is raised."""
    batches: list[BatchProgress] = []
    reported_at = ended_at = time.monotonic()
    reported = -1
    while not stopping.is_set() and not query.awaitTermination(_POLL_S):
        now = time.monotonic()
        last = batches[-1].batch if batches else -1
        newer = [batch for batch in map(batch_progress, query.recentProgress) if batch.batch > last and batch.records]
        if newer:
            batches, ended_at = batches + newer, now
            late.set("")
        elif not late.text and now - ended_at >= _LATE_S:
            late.set(f"no batch has ended for {_LATE_S:.0f} s; Spark says: {query.status['message']}")
        failure = ticks.failure
        # Why is one thing now and another then while a broker is absent.
        if bool(failure) != bool(time_stands.text):
            time_stands.set(
                f"no time comes into the log, so that silence raises no alarm: {failure}" if failure else ""
            )
        if now - reported_at >= _REPORTED_S:
            say(progress_text([batch for batch in batches if batch.batch > reported], now - reported_at))
            reported_at, reported = now, batches[-1].batch if batches else reported
            batches = batches[-1:]


def start_query(
    spark: SparkSession, settings: StreamSettings, checkpoint: Checkpoint, source: MonitorSource
) -> StreamingQuery:
    """Start the query; it goes on from the checkpoint."""
    topics = settings.topics
    # Each shard has a partition of the state of its own.
    spark.conf.set("spark.sql.shuffle.partitions", settings.shards)
    rows = _by_shard(_records(spark, settings, checkpoint.starting_offsets), topics, shard_keys(spark, settings.shards))
    processor = ShardProcessor(source, topics)
    initial = None if checkpoint.initial is None else spark.read.parquet(checkpoint.initial).groupBy("shard")
    results = rows.groupBy("shard").transformWithState(processor, OUTPUT_SCHEMA, "Update", "None", initial)
    return (
        results.writeStream.format("kafka")
        .outputMode("update")
        .options(**settings.brokers.spark_options())
        .option("kafka.compression.type", "lz4")
        .option("checkpointLocation", settings.checkpoint)
        .trigger(processingTime=f"{BATCH_S} seconds")
        .start()
    )


def _records(spark: SparkSession, settings: StreamSettings, starting_offsets: str) -> DataFrame:
    topics = settings.topics
    return (
        spark.readStream.format("kafka")
        .options(**settings.brokers.spark_options())
        .option("subscribe", f"{topics.samples},{topics.commands}")
        .option("startingOffsets", starting_offsets)
        # Samples that the topic has lost are a gap, which the monitor reports; nobody is to be unwatched for them.
        .option("failOnDataLoss", "false")
        .option("maxOffsetsPerTrigger", settings.shards * _MOST_RECORDS)
        .load()
    )


def _by_shard(records: DataFrame, topics: Topics, keys: list[int]) -> DataFrame:
    """Give each record to the shard of its patient, and ticks to all shards."""
    is_tick = sf.col("key").isNull() & (sf.col("value") == sf.lit(TICK)) & (sf.col("topic") == topics.samples)
    every_shard = sf.array(*map(sf.lit, keys))
    shards = sf.when(is_tick, every_shard).otherwise(sf.array(shard_column(keys, sf.col("key"))))
    timed = records.select(
        "key", "value", "topic", "partition", "offset", sf.unix_millis("timestamp").alias("timestamp")
    )
    observed = timed.observe(
        OBSERVATION, sf.approx_count_distinct("key").alias(PATIENTS), sf.max("timestamp").alias(NEWEST)
    )
    return observed.select(sf.explode(shards).alias("shard"), *timed.columns)
