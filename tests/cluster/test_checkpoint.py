"""A checkpoint is gone on with only by what has made it; the refusal says what to do."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

pytest.importorskip("pyspark")
pytest.importorskip("confluent_kafka")

from pyspark.sql import SparkSession

from ectopy.cluster import checkpoint
from ectopy.cluster.checkpoint import Manifest, checkpoint_with_states, open_checkpoint, read_manifest
from ectopy.errors import SettingError
from support.checkpoints import write_and_interrupt

MANIFEST = Manifest(4, "ecg", "events", "5e" * 32, 300.0)


def test_a_stream_goes_on_with_its_own_checkpoint(spark: SparkSession, tmp_path: Path):
    folder = str(tmp_path / "checkpoint")
    assert read_manifest(spark, folder) is None
    begun = open_checkpoint(spark, folder, MANIFEST)
    assert (begun.starting_offsets, begun.initial) == ("earliest", None)
    assert read_manifest(spark, folder) == MANIFEST
    assert open_checkpoint(spark, folder, MANIFEST) == begun


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 1}, "another Ectopy"),
        ({"shards": 8}, "--shards 4.*repartition"),
        ({"samples": "other"}, "--input ecg"),
        ({"output": "other"}, "--output events"),
        ({"detector": "00" * 32}, "SHA-256 is 5e5e"),
        ({"learning_s": 60.0}, "--learning 300"),
    ],
)
def test_another_stream_is_refused_with_instructions(
    spark: SparkSession, tmp_path: Path, change: dict[str, int], words: str
):
    folder = str(tmp_path)
    open_checkpoint(spark, folder, MANIFEST)
    with pytest.raises(SettingError, match=words):
        open_checkpoint(spark, folder, replace(MANIFEST, **change))
    assert read_manifest(spark, folder) == MANIFEST


def test_states_of_a_newer_version_are_refused_and_those_of_an_older_one_become_newer(
    spark: SparkSession, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
):
    folder = str(tmp_path)
    begun = open_checkpoint(spark, folder, MANIFEST)
    with monkeypatch.context() as newer:
        newer.setattr(checkpoint, "SNAPSHOT_VERSION", 2)
        assert open_checkpoint(spark, folder, MANIFEST) == begun
        assert read_manifest(spark, folder) == replace(MANIFEST, states=2)
        assert open_checkpoint(spark, folder, MANIFEST) == begun
    with pytest.raises(SettingError, match="has states of version 2, and this Ectopy reads up to 1; start the newer"):
        open_checkpoint(spark, folder, MANIFEST)


def test_a_folder_of_something_else_is_refused(spark: SparkSession, tmp_path: Path):
    (tmp_path / "diary.txt").write_text("dear diary")
    with pytest.raises(SettingError, match="not a checkpoint"):
        open_checkpoint(spark, str(tmp_path), MANIFEST)


def test_no_stream_begins_before_all_states_are_written(spark: SparkSession, tmp_path: Path):
    folder = str(tmp_path / "checkpoint")
    with pytest.raises(KeyboardInterrupt):
        write_and_interrupt(spark, folder, MANIFEST)
    with pytest.raises(SettingError, match="repartition' was interrupted; run it again"):
        open_checkpoint(spark, folder, MANIFEST)
    with checkpoint_with_states(spark, folder, MANIFEST) as states:
        spark.range(5).write.parquet(states, mode="overwrite")
    assert open_checkpoint(spark, folder, MANIFEST).initial == states
    assert spark.read.parquet(states).count() == 5
    with pytest.raises(SettingError, match="not empty"), checkpoint_with_states(spark, folder, MANIFEST):
        pass


def test_a_damaged_checkpoint_is_refused(spark: SparkSession, tmp_path: Path):
    (tmp_path / "ectopy.json").write_text('{"shards": "many"}')
    with pytest.raises(SettingError, match="damaged"):
        open_checkpoint(spark, str(tmp_path), MANIFEST)
