from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from pyspark.sql import SparkSession

    from support.kafka.broker import Broker

# Sessions of this process and of commands that it starts begin with these settings.
os.environ["SPARK_CONF_DIR"] = str(Path(__file__).parents[1] / "support" / "spark")


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for all tests of this process; each takes topics of its own."""
    pytest.importorskip("confluent_kafka")
    from support.kafka.broker import running_broker

    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker


@pytest.fixture(scope="module")
def kafka_session() -> Iterator[SparkSession]:
    """A session that can read and write Kafka."""
    pytest.importorskip("pyspark")
    from support.kafka.jars import connector_jars
    from support.spark_sessions import running_session

    with running_session(jars=connector_jars()) as session:
        yield session
