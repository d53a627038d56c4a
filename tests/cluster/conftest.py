from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from support.kafka.broker import Broker


@pytest.fixture(scope="session")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Broker]:
    """A broker for all tests of this process; each takes topics of its own."""
    pytest.importorskip("confluent_kafka")
    from support.kafka.broker import running_broker

    with running_broker(tmp_path_factory.mktemp("kafka")) as broker:
        yield broker
