"""The monitor that most tests of this room step."""

from __future__ import annotations

import pytest

from ectopy.analysis.shipped_detector import load_ambulatory
from ectopy.monitor import Monitor


@pytest.fixture(scope="session")
def monitor() -> Monitor:
    """A monitor that learns a patient's normal for 30 s, the shortest time there is."""
    return Monitor.of(load_ambulatory(), learning_s=30.0)
