"""What is watched and how: all that the events depend on, and the command that shows an alarm again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ectopy.analysis.patient_template import LEARNING_S
from ectopy.analysis.shipped_detector import SHIPPED
from ectopy.errors import SettingError
from ectopy.formats.sample_stream import NAME
from ectopy.monitor import AlarmChanged, Limits
from ectopy.monitor.replay_command import replay_command

_STANDARD_INPUT = "-"


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """What is watched and how.

    Attributes
    ----------
    source : str
        A recording's path; ``-`` = standard input.
    sampling_rate_hz : float or None
        Where a file does not say.
    unit : str or None
        ``mV``, ``uV`` or ``V``, where it is not said.
    profile : str
        Of the limits.
    age, resting_bpm : float or None
    limits : mapping of str to float
        Limits that are not those of the profile.
    learning_s : float
        Seconds of signal from which the patient's normal is learned.
    baseline : Path or None
        A patient's normal, saved earlier.
    bundle : str
        A detector's path, or ``ambulatory``, the shipped one.
    partial : bool
        Whether the intact part of a recording that is not whole is watched.
    """

    source: str
    sampling_rate_hz: float | None = None
    unit: str | None = None
    profile: str = "ward"
    age: float | None = None
    resting_bpm: float | None = None
    limits: Mapping[str, float] = field(default_factory=dict)
    learning_s: float = LEARNING_S
    baseline: Path | None = None
    bundle: str = SHIPPED
    partial: bool = False

    @property
    def live(self) -> bool:
        """Whether samples come from standard input."""
        return self.source == _STANDARD_INPUT

    @property
    def name(self) -> str:
        """What is watched, for people."""
        return NAME if self.live else self.source

    def effective_limits(self) -> Limits:
        """Limits of the profile, and what was set otherwise.

        Raises
        ------
        SettingError
            If a limit is invalid, or out of its range.
        """
        return Limits.of(self.profile, self.age, self.resting_bpm).changed(self.limits)

    def replay(self, event: AlarmChanged) -> str | None:
        """Command that shows a change of an alarm again, with all that was told about its strip.

        It watches the recording from its start, and tells what lies between the two times: only so are the alarms those
        of the first time, with their numbers and digests. What is remembered reaches back without limit: the patient's
        normal, a latched alarm, the rates of an exercise.

        Returns
        -------
        str or None
            None for standard input, of which nothing is kept.
        """
        if self.live:
            return None
        usual = WatchOptions(self.source)
        options: list[tuple[str, object, object]] = [
            ("--rate", self.sampling_rate_hz, usual.sampling_rate_hz),
            ("--unit", self.unit, usual.unit),
            ("--profile", self.profile, usual.profile),
            ("--age", self.age, usual.age),
            ("--resting-rate", self.resting_bpm, usual.resting_bpm),
            *(("--limit", f"{name}={_plain(value)}", None) for name, value in self.limits.items()),
            ("--learning", self.learning_s, usual.learning_s),
            ("--baseline", self.baseline, usual.baseline),
            ("--bundle", self.bundle, usual.bundle),
        ]
        words = ["watch", self.source, *(["--partial"] if self.partial else [])]
        for name, value, default in options:
            if value != default:
                words += [name, _plain(value)]
        return replay_command(event, *words, "--fast")


def parse_limits(settings: Sequence[str]) -> dict[str, float]:
    """Values of limits from texts such as ``high_bpm=120``.

    Raises
    ------
    SettingError
        If a text is something else.
    """
    values = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError as error:
            raise SettingError(f"a limit is set as NAME=VALUE, such as high_bpm=120, not as {setting!r}.") from error
    return values


def _plain(value: object) -> str:
    """As it is given on the command line: a whole number without a point, and no digit lost."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
