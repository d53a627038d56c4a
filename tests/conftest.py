"""Where the tests find data: as a user's programs do, through ECTOPY_DATA."""

from __future__ import annotations

import os
from pathlib import Path
from typing import NamedTuple

import pytest

from ectopy.beats import Beats
from ectopy.datasets import load_simulated
from ectopy.datasets.ecg5000 import find_ecg5000, load_ecg5000
from ectopy.datasets.folders import DATA_VARIABLE, cache_folder
from ectopy.detector import Detector
from ectopy.model import TrainingSettings
from ectopy.pipeline import train

_SHARED_DATASETS = Path(__file__).resolve().parents[2] / "shared" / "datasets"
if _SHARED_DATASETS.is_dir():
    named = os.environ.get(DATA_VARIABLE)
    os.environ[DATA_VARIABLE] = os.pathsep.join(filter(None, [named, str(_SHARED_DATASETS)]))


class Parts(NamedTuple):
    train: Beats
    test: Beats


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
def detector() -> Detector:
    """A small detector, trained once on simulated normal beats; for tests of everything but its quality."""
    settings = TrainingSettings(architecture="dense", members=2, max_steps=150)
    return train(load_simulated("train"), settings, random_state=0)


@pytest.fixture(scope="session")
def bundle(detector: Detector, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small detector as a file."""
    path = tmp_path_factory.mktemp("bundle") / "small.ectopy"
    detector.save(path)
    return path


@pytest.fixture(scope="session")
def simulated() -> Beats:
    """The simulated test part."""
    return load_simulated("test")
