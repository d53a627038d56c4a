from __future__ import annotations

import os
import signal
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


@pytest.fixture
def own_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that may be killed."""
    pytest.importorskip("confluent_kafka")
    from support.kafka.broker import running_broker

    with running_broker(tmp_path / "kafka") as broker:
        yield broker


@pytest.fixture(scope="session")
def spark() -> Iterator[SparkSession]:
    """A session for all tests of this process, which can read and write Kafka."""
    pytest.importorskip("pyspark")
    from ectopy.cluster.archive import tolerant_master
    from ectopy.cluster.session import LOCAL, start_session
    from support.kafka.jars import connector_jars

    on_interrupt = signal.getsignal(signal.SIGINT)
    session = start_session(tolerant_master(LOCAL), jars=connector_jars())
    # Ctrl-C stays that of the other tests.
    signal.signal(signal.SIGINT, on_interrupt)
    yield session
    session.stop()
