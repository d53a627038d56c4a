"""What the rules of rhythm remember of a patient; the rules are in `rhythm` and `rhythm_readings`."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import inf, nan

from ectopy.monitor.exercise import ExerciseState
from ectopy.monitor.limits import Limits
from ectopy.presentation import short_repr

FLAT_S = 2.0
"""By how much a silence must be longer to be an asystole where a lead is flat or off, seconds."""
SAME_BEAT_S = 1e-6
"""Times of beats that differ by no more are those of one beat, seconds."""

_UNEVEN = 1.8  # one interval of a run over the next


@dataclass(frozen=True, slots=True)
class Run:
    """Beats of one kind in a row, up to the newest beat.

    Attributes
    ----------
    times_s : tuple of float
        The last of them.
    intervals_s : tuple of float
        The last RR intervals between them that are known.
    unreadable : int
        Unreadable beats since the last of them.
    even : bool
        Whether two successive intervals are about equal, or one is not known.
    """

    beats: int = 0
    times_s: tuple[float, ...] = ()
    intervals_s: tuple[float, ...] = ()
    unreadable: int = 0
    even: bool = False


@dataclass(frozen=True, slots=True)
class RhythmState:
    """Memory of the rules; times are stream seconds.

    Attributes
    ----------
    at_s : float
        Where the last findings ended.
    since_s : float
        Where silence counts from: nothing could be told until then.
    detected_s : tuple of float
        The last beats heard since then.
    apart_s : tuple of float
        Of the beats heard last, the two neighbours that are farthest apart, the first one maybe heard before.
    apart_flat : bool
        Whether a lead was flat or off in that silence.
    apart_noisy : bool
        Whether all leads were noisy when it began.
    complete_s : float
        Up to where all beats are heard.
    confirmed_s : float
        The newest beat judged that is readable and credible.
    asystole_s : float or None
        The last beat before an asystole that goes on, or where its silence counts from; None while there is none.
    flat : bool
        Whether a lead has been flat or off in the present silence, or all were noisy when it began.
    noisy : bool
        Whether all were noisy when it began.
    motionless_s : float
        Where the last piece ended in which no lead moved.
    still : bool
        Whether a silence goes on in leads that have become noisy.
    judged_s : float
        The newest readable beat judged.
    row_s : tuple of float
        The last beats judged in a row.
    row_readable : int
        How many of them, at the end, are readable: 0 where the last one is not.
    run, longest : Run
        Of ventricular-like beats; and the longest one since the findings before, for one that has already ended again
        is told as well.
    atrial_run, longest_atrial : Run
        The same of supraventricular-like beats.
    couplets_s : tuple of float
        Couplets of the last five minutes.
    alternating : int
        Length of the row in which every other beat is ventricular-like.
    thirds : int
        Length of the row in which every third beat is ventricular-like.
    alternation_s : tuple of float
        The last beats of the longer of the two rows.
    last_ventricular : tuple of bool
        Which of the two newest beats in a row are ventricular-like.
    usual_rr_s : tuple of float
        RR intervals before the last 65 beats that are not ectopic; NaN = not known.
    ectopic : bool
        Whether the newest beat is ectopic.
    irregularity : float
        Of those intervals; NaN = not known.
    rhythm_rr_s : tuple of float
        RR intervals before the last 66 beats; NaN where not known, or beside an ectopic beat.
    fibrillation : float
        Log odds of atrial fibrillation over them, every eighth beat, or every beat near the onset; NaN = not known.
    fibrillation_since_s : float
        The first beat at which they were high enough for the onset, since they were too low; NaN = none.
    until_measured : int
        Beats until they are measured again.
    window_s : tuple of float
        The last readable beats, none older than a minute.
    window_abnormal : tuple of bool
        Which of them are abnormal.
    abnormal : bool
        Whether that was too many, and is not yet few enough.
    """

    __repr__ = short_repr

    at_s: float = -inf
    since_s: float = -inf
    detected_s: tuple[float, ...] = ()
    apart_s: tuple[float, ...] = ()
    apart_flat: bool = False
    apart_noisy: bool = False
    complete_s: float = -inf
    confirmed_s: float = -inf
    asystole_s: float | None = None
    flat: bool = False
    noisy: bool = False
    motionless_s: float = -inf
    still: bool = False
    judged_s: float = -inf
    row_s: tuple[float, ...] = ()
    row_readable: int = 0
    run: Run = field(default_factory=Run)
    longest: Run = field(default_factory=Run)
    atrial_run: Run = field(default_factory=Run)
    longest_atrial: Run = field(default_factory=Run)
    couplets_s: tuple[float, ...] = ()
    alternating: int = 0
    thirds: int = 0
    alternation_s: tuple[float, ...] = ()
    last_ventricular: tuple[bool, ...] = ()
    usual_rr_s: tuple[float, ...] = ()
    ectopic: bool = False
    irregularity: float = nan
    rhythm_rr_s: tuple[float, ...] = ()
    fibrillation: float = nan
    fibrillation_since_s: float = nan
    until_measured: int = 0
    window_s: tuple[float, ...] = ()
    window_abnormal: tuple[bool, ...] = ()
    abnormal: bool = False
    exercise: ExerciseState = field(default_factory=ExerciseState)

    @property
    def last_beat_s(self) -> float:
        """Return the last beat heard, or where silence counts from."""
        return self.detected_s[-1] if self.detected_s else self.since_s

    @property
    def silence_s(self) -> float:
        """Return for how long no beat has been heard."""
        return self.complete_s - self.last_beat_s

    def is_silent(self, limits: Limits) -> bool:
        """Return whether an asystole goes on, or no beat has been heard for as long as a pause."""
        return self.asystole_s is not None or self.silence_s >= limits.pause_s


def about_equal(*two_s: float) -> bool:
    """Return whether two intervals of a run are about equal; not where fewer than two are known."""
    return len(two_s) == 2 and max(two_s) < _UNEVEN * min(two_s)


def mean_rate(row_s: tuple[float, ...], beats: int) -> float | None:
    """Return the mean rate per minute of the last beats in a row, or of all if they are fewer; None of a single one."""
    last = row_s[-beats:]
    return 60.0 * (len(last) - 1) / (last[-1] - last[0]) if len(last) > 1 else None


def longer_silence_s(longer_s: float, doubtful: bool, motionless: bool) -> float:
    """Return by how much a silence must be longer: by `longer_s` if in doubt, by two seconds where no lead moved."""
    return FLAT_S if motionless else longer_s * doubtful
