"""The receipt of samples on their way into Kafka."""

from __future__ import annotations

import threading
import time
from concurrent.futures import Future
from dataclasses import replace

from ectopy.cluster.log_writer import Place
from ectopy.errors import EctopyError
from ectopy.service.monitoring.write_buffer import Receipt, Unstored


class PendingReceipt:
    """A receipt that is given out once Kafka has the samples, or before that as one of samples not stored yet."""

    __slots__ = ("_lock", "_receipt", "_unstored", "began", "future")

    def __init__(self, receipt: Receipt) -> None:
        self.began = time.monotonic()
        self.future: Future[Receipt] = Future()
        self.future.set_running_or_notify_cancel()
        self._lock = threading.Lock()
        self._receipt, self._unstored = receipt, Unstored()

    def resolve(self, result: Place | EctopyError) -> None:
        """Give out the receipt, or tell that the samples are stored, or the error."""
        error = result if isinstance(result, EctopyError) else None
        with self._lock:
            if not self.future.done():
                if error is None:
                    self.future.set_result(self._receipt)
                else:
                    self.future.set_exception(error)
                return
        self._unstored.resolve(error)

    def acknowledge(self) -> None:
        """Give out the receipt although Kafka does not have the samples yet."""
        with self._lock:
            if not self.future.done():
                self.future.set_result(replace(self._receipt, unstored=self._unstored))
