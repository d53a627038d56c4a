"""Sessions of Spark for tests, each with a Java process of its own."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from pyspark import SparkContext
from pyspark.sql import SparkSession

from ectopy.cluster.session import LOCAL, start_session


@contextmanager
def running_session(master: str = LOCAL, jars: Path | None = None) -> Iterator[SparkSession]:
    """A session that shares nothing with those before and after it: jars are those that Java was started with."""
    on_interrupt = signal.getsignal(signal.SIGINT)
    _end_java()
    session = start_session(master, jars=jars)
    try:
        yield session
    finally:
        session.stop()
        _end_java()
        signal.signal(signal.SIGINT, on_interrupt)


def _end_java() -> None:
    gateway = SparkContext._gateway
    if gateway is None:
        return
    gateway.shutdown()
    gateway.proc.stdin.close()
    gateway.proc.wait()
    SparkContext._gateway = SparkContext._jvm = None
