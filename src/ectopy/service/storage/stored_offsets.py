"""How far the topics of a cluster have been read: stored with what was read, so that it is stored once."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

import sqlalchemy as sa

from ectopy.service.storage import tables
from ectopy.service.storage.database import Database, Row


class Partition(NamedTuple):
    """A partition of a topic of Kafka."""

    topic: str
    number: int


Offsets = Mapping[Partition, int]
"""By partition the offset of the record that comes next."""

NO_OFFSETS: Offsets = MappingProxyType({})


class OffsetStore:
    """Offsets of the partitions that have been read; `Store.write` changes them."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def all(self) -> dict[Partition, int]:
        """Return the offsets of all partitions; empty where the patients were never watched by a cluster."""
        column = tables.offsets.c
        with self._database.reading() as connection:
            rows = connection.execute(sa.select(column.topic, column.partition, column.next))
            return {Partition(topic, number): offset for topic, number, offset in rows}


def offset_rows(offsets: Offsets) -> list[Row]:
    """Return the rows of offsets."""
    return [
        {"topic": partition.topic, "partition": partition.number, "next": offset}
        for partition, offset in offsets.items()
    ]
