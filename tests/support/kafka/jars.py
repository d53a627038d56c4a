"""Jars of Kafka's broker and of Spark's connector, downloaded by Maven once, into a cache outside the checkout."""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
from importlib.metadata import version
from pathlib import Path

import pytest

_POM = Path(__file__).with_name("pom.xml")
_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "ectopy-tests"
# What Spark brings itself.
_IN_SPARK = "org.apache.hadoop,org.scala-lang,org.scala-lang.modules,org.slf4j,org.xerial.snappy,org.lz4,at.yawk.lz4"


def broker_jars() -> Path:
    """Folder with the jars of a broker; the test is skipped without Java and Maven."""
    return _jars("broker", "kafka-4.1.1")


def connector_jars() -> Path:
    """Folder with the jars that let Spark read and write Kafka; the test is skipped without Java and Maven."""
    spark = version("pyspark")
    return _jars("connector", f"spark-kafka-{spark}", f"-Dspark.version={spark}", f"-DexcludeGroupIds={_IN_SPARK}")


def _jars(profile: str, name: str, *options: str) -> Path:
    if shutil.which("java") is None:
        pytest.skip("Java 17 is not installed")
    folder = _CACHE / name
    _CACHE.mkdir(parents=True, exist_ok=True)
    with (_CACHE / f"{name}.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.is_dir():
            if shutil.which("mvn") is None:
                pytest.skip("Maven is not installed")
            partial = folder.with_suffix(".partial")
            shutil.rmtree(partial, ignore_errors=True)
            goal = ["dependency:copy-dependencies", f"-DoutputDirectory={partial}", "-DincludeScope=runtime"]
            subprocess.run(["mvn", "-q", "-B", "-f", _POM, "-P", profile, *options, *goal], check=True)
            partial.rename(folder)
    return folder
