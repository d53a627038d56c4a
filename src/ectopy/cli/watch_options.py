"""Options of `ectopy watch`: everything that the events depend on, and the command that shows an alarm again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from ectopy.analysis.patient_template import LEARNING_S
from ectopy.analysis.shipped_detector import SHIPPED
from ectopy.cli.output_files import STANDARD_STREAM
from ectopy.errors import SettingError
from ectopy.formats.sample_stream import NAME
from ectopy.monitor import AlarmChanged, Limits
from ectopy.monitor.limits import PROFILES
from ectopy.monitor.replay_command import replay_command

_PROFILES_OF = {"--age": ("exercise", "child", "infant"), "--resting-rate": ("exercise",)}


@dataclass(frozen=True, slots=True)
class WatchOptions:
    """Everything that the events of a watch depend on; see the help of the command.

    `source` is a recording's path or ``-`` for standard input, `limits` are those that are not of the profile, and
    `bundle` is a detector's path, or ``ambulatory``, the shipped one.
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
        """Return whether samples come from standard input."""
        return self.source == STANDARD_STREAM

    @property
    def name(self) -> str:
        """Name of the source, for people."""
        return NAME if self.live else self.source

    def effective_limits(self) -> Limits:
        """Limits of the profile, changed by those of the command line."""
        return Limits.of(self.profile, self.age, self.resting_bpm).changed(self.limits)

    def replay(self, event: AlarmChanged) -> str | None:
        """Command that shows a change of an alarm again, with all events of its strip; None for standard input.

        It watches the recording from its start, and reports between two times: only then are the alarms the same, with
        their numbers and digests. The monitor's memory reaches back without limit: the patient's normal, a latched
        alarm, the rates of an exercise.
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


def check_person(profile: str, person: Mapping[str, float | None]) -> None:
    """Raise SettingError for an option on the person, by name, that does not change the limits of a profile."""
    for option, value in person.items():
        profiles = _PROFILES_OF[option]
        if value is not None and profile in PROFILES and profile not in profiles:
            raise SettingError(
                f"{option} chooses limits in the profile {' or '.join(profiles)}, and not in {profile}: name another "
                "--profile, or leave it out."
            )


def parse_limits(settings: Sequence[str]) -> dict[str, float]:
    """Parse limits such as ``high_bpm=120``; a `SettingError` if a text is something else."""
    values = {}
    for setting in settings:
        name, _, value = setting.partition("=")
        try:
            values[name.strip()] = float(value)
        except ValueError as error:
            raise SettingError(f"a limit is set as NAME=VALUE, such as high_bpm=120, not as {setting!r}.") from error
    return values


def _plain(value: object) -> str:
    """Write a value for the command line: a whole number without a point, and with every digit."""
    return str(int(value)) if isinstance(value, float) and value.is_integer() else str(value)
