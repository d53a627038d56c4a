"""Who sends for whom: one sender at a time for each patient, and an alarm where another one tries."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from ectopy.errors import EctopyError
from ectopy.monitor.rhythm_input import ConditionReading
from ectopy.monitor.technical import NO_DATA_S

TWO_SENDERS = "two senders"

_MOST_NAMED = 4


class OccupiedError(EctopyError):
    """Somebody else sends for the patient; one sentence says who."""


@dataclass(slots=True)
class _Line:
    """Who sends for a patient, as which stream, and when last; and who else has tried since the alarm was told."""

    sender: str
    stream: str
    at: float
    others: dict[str, float]


class Senders:
    """Those that send, by patient.

    Samples of two senders cannot be told apart by the monitor: those of one would displace those of the other. So the
    first one is the only one until it has sent nothing for `NO_DATA_S`.

    Parameters
    ----------
    clock : callable
        Gives seconds since 1970.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._lines: dict[str, _Line] = {}

    def claim(self, patient: str, sender: str, stream: str) -> None:
        """Note that somebody sends for a patient.

        Raises
        ------
        OccupiedError
            If somebody else does already.
        """
        now = self._clock()
        with self._lock:
            line = self._lines.get(patient)
            # A clock that is set back ends no line, and holds none.
            if line is None or line.sender == sender or abs(now - line.at) >= NO_DATA_S:
                others = {} if line is None else line.others
                others.pop(sender, None)
                self._lines[patient] = _Line(sender, stream, now, others)
                return
            line.others[sender] = now
            for name in sorted(line.others, key=line.others.__getitem__)[:-_MOST_NAMED]:
                del line.others[name]
        raise OccupiedError(
            f"samples of {patient!r} come from {line.sender} already; "
            f"stop it, and this one is taken {NO_DATA_S:g} s later."
        )

    def owns(self, patient: str, sender: str, stream: str) -> bool:
        """Whether the newest samples of this stream came from this sender."""
        with self._lock:
            line = self._lines.get(patient)
            return line is not None and (line.sender, line.stream) == (sender, stream)

    def reading(self, patient: str) -> ConditionReading:
        """Judge ``two senders``: present while somebody has tried within the last `NO_DATA_S`."""
        now = self._clock()
        with self._lock:
            line = self._lines.get(patient)
            if line is None:
                return ConditionReading(TWO_SENDERS, False)
            line.others = {name: at for name, at in line.others.items() if abs(now - at) < NO_DATA_S}
            if not line.others:
                return ConditionReading(TWO_SENDERS, False)
            names = " and ".join(line.others)
            return ConditionReading(
                TWO_SENDERS, True, f"Samples come from {line.sender}, and are refused from {names}."
            )
