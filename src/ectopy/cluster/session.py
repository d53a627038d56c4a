"""Sessions of Spark as archives and streams need them: on this machine unless another master is named."""

from __future__ import annotations

import os
import re
import signal
import socket
import sys
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pyspark
from py4j.protocol import Py4JError, Py4JNetworkError
from pyspark.errors import PySparkException
from pyspark.sql import SparkSession

from ectopy.errors import ServiceError, SettingError
from ectopy.processes import filtered_stderr

LOCAL = "local[2]"
"""Master by default: two cores of this machine."""

_ADDRESSES = re.compile(r"(?:spark://|k8s://(?:https?://)?)([^/,]+:\d+(?:,[^/,]+:\d+)*)/?")
_PATIENCE_S = 5.0
_LOOPBACK = "127.0.0.1"
_STATE_STORE = "org.apache.spark.sql.execution.streaming.state.RocksDBStateStoreProvider"
# What Java says whenever Spark starts, and Spark's Python processes about each query.
_NOISE = re.compile(rb"WARNING: Using incubator modules|(Starting )?Streaming TransformWithState|\s*$")
_LOG_SETTINGS = Path(__file__).with_name("log4j2.properties")


def start_session(
    master: str = LOCAL,
    *,
    name: str = "ectopy",
    has_kafka: bool = False,
    place: str = "",
    jars: Path | None = None,
    has_ui: bool = False,
    settings: Mapping[str, str] | None = None,
) -> SparkSession:
    """Start a session of Spark, or return the one that runs in this process.

    Parameters
    ----------
    master : str
        Address of the cluster; ``local[N]`` = N cores of this machine, which nobody else can reach.
    name : str
        What Spark calls the application.
    has_kafka : bool
        Whether Kafka is read or written; Spark downloads its connector from Maven unless it is in `jars`.
    place : str
        Path or URL of a folder that is read or written; for ``s3a://`` Spark downloads hadoop-aws, as the connector.
    jars : Path or None
        Folder with jars to load instead of any download.
    has_ui : bool
        Whether Spark serves its own pages.
    settings : mapping of str to str, optional
        More of Spark's settings, which override those made here.

    Raises
    ------
    SettingError
        If the folder has no jars, the master cannot be reached, or Spark cannot be started.
    """
    _check_reachable(master)
    session_settings = _settings(master, name, has_kafka, place, jars, has_ui) | dict(settings or {})
    _choose_processes(master)
    builder = SparkSession.builder
    for key, value in session_settings.items():
        builder = builder.config(key, value)
    on_interrupt = signal.getsignal(signal.SIGINT)
    try:
        with filtered_stderr(_NOISE):
            session = builder.getOrCreate()
    except (PySparkException, Py4JError, OSError) as error:
        raise SettingError(f"Spark cannot be started at {master}: {error}") from error
    # Spark cancels its jobs on Ctrl-C; whoever has decided what else is to happen keeps it.
    if on_interrupt is not signal.default_int_handler and threading.current_thread() is threading.main_thread():
        signal.signal(signal.SIGINT, on_interrupt)
    return session


@contextmanager
def running_session(master: str = LOCAL, **options: Any) -> Iterator[SparkSession]:
    """Start a session of Spark for a block, and stop it at the end.

    Parameters
    ----------
    master : str
    **options
        As for `start_session`.

    Raises
    ------
    SettingError
        As from `start_session`.
    ServiceError
        If the Java process of Spark ends within the block.
    """
    session = start_session(master, **options)
    try:
        yield session
    except (Py4JNetworkError, ConnectionError) as error:
        raise ServiceError(
            "the Java process of Spark has ended, perhaps because memory is short; start the same command again."
        ) from error
    finally:
        with suppress(Py4JError, ConnectionError):  # nothing is left to stop
            session.stop()


def _settings(master: str, name: str, has_kafka: bool, place: str, jars: Path | None, has_ui: bool) -> dict[str, str]:
    settings = {
        "spark.master": master,
        "spark.app.name": name,
        "spark.ui.enabled": str(has_ui).lower(),
        "spark.ui.showConsoleProgress": "false",
        "spark.driver.extraJavaOptions": f"-Dlog4j2.configurationFile={_LOG_SETTINGS.as_uri()}",
        "spark.sql.session.timeZone": "UTC",
        "spark.sql.streaming.stateStore.providerClass": _STATE_STORE,
        "spark.sql.streaming.stateStore.rocksdb.changelogCheckpointing.enabled": "true",
    }
    if is_local(master):
        settings |= {"spark.driver.bindAddress": _LOOPBACK, "spark.driver.host": _LOOPBACK}
    if jars is not None:
        files = sorted(jars.glob("*.jar"))
        if not files:
            raise SettingError(f"there are no jars in {jars}; name the folder with those of Spark's Kafka connector.")
        settings["spark.jars"] = ",".join(str(file.resolve()) for file in files)
    elif packages := _packages(has_kafka, place):
        settings["spark.jars.packages"] = ",".join(packages)
    return settings


def _packages(has_kafka: bool, place: str) -> list[str]:
    """What Spark downloads from Maven: each in the version of what is in PySpark."""
    packages = [f"org.apache.spark:spark-sql-kafka-0-10_2.13:{pyspark.__version__}"] if has_kafka else []
    if place.lower().startswith("s3a://"):
        (client,) = (Path(pyspark.__file__).parent / "jars").glob("hadoop-client-api-*.jar")
        packages.append(f"org.apache.hadoop:hadoop-aws:{client.stem.removeprefix('hadoop-client-api-')}")
    return packages


def _check_reachable(master: str) -> None:
    """Raise SettingError unless one of the masters listens: Spark itself says so after a minute, and not in words."""
    match = _ADDRESSES.fullmatch(master)
    if match is None:
        return
    for address in match[1].split(","):
        host, _, port = address.rpartition(":")
        with suppress(OSError), socket.create_connection((host.strip("[]"), int(port)), _PATIENCE_S):
            return
    raise SettingError(f"nothing answers at {master}; start Spark's master, or name its address.")


def is_local(master: str) -> bool:
    """Return whether a master is this machine itself."""
    return master.startswith("local")


def _choose_processes(master: str) -> None:
    """Let Spark's Python processes be of this interpreter, and those of this machine alone answer only it.

    A cluster's own interpreter may be named in PYSPARK_PYTHON.
    """
    if is_local(master):
        os.environ["PYSPARK_PYTHON"] = sys.executable
        os.environ["SPARK_LOCAL_IP"] = _LOOPBACK
    else:
        os.environ.setdefault("PYSPARK_PYTHON", sys.executable)
    os.environ.setdefault("PYSPARK_DRIVER_PYTHON", sys.executable)
