"""The log of the service: one JSON object a line, on standard error, and so few lines that no fault fills a disk."""

from __future__ import annotations

import logging
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable

import structlog

from ectopy.service.access.rate_limits import RateLimiter

NOTES_PER_MINUTE, WARNINGS_PER_MINUTE = 6000, 60
"""Limit for each line of code that logs: informational messages, and those that may hold a traceback."""


class Throttle(logging.Filter):
    """Leaves out messages that one line of code logs too often; its next message says how many were left out."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        super().__init__()
        self._clock, self._lock = clock, threading.Lock()
        self._notes = RateLimiter(NOTES_PER_MINUTE, NOTES_PER_MINUTE)
        self._warnings = RateLimiter(WARNINGS_PER_MINUTE, WARNINGS_PER_MINUTE)
        self._left_out: Counter[str] = Counter()

    def filter(self, record: logging.LogRecord) -> bool:
        """Return whether to write a message."""
        place = f"{record.name}:{record.pathname}:{record.lineno}"
        limiter = self._warnings if record.levelno >= logging.WARNING else self._notes
        too_often = limiter.acquire(place, self._clock()) > 0
        with self._lock:
            if too_often:
                self._left_out[place] += 1
            elif left_out := self._left_out.pop(place, 0):
                record.left_out = left_out
        return not too_often


def log_as_json(level: int = logging.INFO) -> None:
    """Write all log messages of this process as JSON; those of libraries only from warnings on."""
    handler = logging.StreamHandler(sys.stderr)
    handler.addFilter(Throttle())
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.add_log_level,
                structlog.stdlib.add_logger_name,
                structlog.stdlib.ExtraAdder(),
                structlog.processors.TimeStamper(fmt="iso", utc=True),
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                structlog.processors.format_exc_info,
                structlog.processors.JSONRenderer(),
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("ectopy").setLevel(level)
