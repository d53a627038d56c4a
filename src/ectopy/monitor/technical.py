"""Conditions of the equipment: what keeps the patient from being watched."""

from __future__ import annotations

from dataclasses import dataclass

from ectopy.monitor.rhythm_input import ConditionReading, DetectorOutput

NO_DATA_S = 10.0
LEAST_PART_S = 15.0
CLOCK_OFF_S = 60.0
CLOCK_JUMP_S = 2.0


@dataclass(frozen=True, slots=True)
class TechnicalState:
    """A stretch in which no lead can be read.

    Attributes
    ----------
    unreadable_s : float or None
        Stream second of its start; None while a lead is readable.
    off, noisy : bool
        Whether a lead was off, or noisy, since then.
    """

    unreadable_s: float | None = None
    off: bool = False
    noisy: bool = False


def technical_step(
    state: TechnicalState, findings: DetectorOutput
) -> tuple[TechnicalState, tuple[ConditionReading, ...]]:
    """Judge ``lead off`` and ``noise`` from the quality of the leads.

    Both last until a lead is readable again, so that a signal that changes between them is never without one of them.
    Neither can be told while no second of signal has been judged.

    Parameters
    ----------
    findings : DetectorOutput
        A lead counts as off where its word is ``lead off``, ``flat``, ``saturated`` or ``missing``.
    """
    words = findings.words
    if not words:
        return state, (ConditionReading("lead off", None), ConditionReading("noise", None))
    if findings.readable:
        return TechnicalState(), (ConditionReading("lead off", False), ConditionReading("noise", False))
    noisy = words.count("noisy")
    since_s = findings.at_s if state.unreadable_s is None else state.unreadable_s
    state = TechnicalState(since_s, state.off or noisy < len(words), state.noisy or noisy > 0)
    seconds = findings.at_s - since_s
    text = f"No lead has been readable for {seconds:.0f} s: now {', '.join(words)}."
    flags = (("lead off", state.off), ("noise", state.noisy))
    return state, tuple(
        ConditionReading(code, True, text, seconds) if present else ConditionReading(code, False)
        for code, present in flags
    )


def no_data(now: float, since: float) -> ConditionReading:
    """Judge ``no data``.

    Parameters
    ----------
    now, since : float
        The time, and when the newest samples came, or watching began; seconds since 1970.
    """
    seconds = now - since
    if seconds < NO_DATA_S:
        return ConditionReading("no data", False)
    return ConditionReading("no data", True, f"No samples for {seconds:.0f} s.", seconds, NO_DATA_S)


def restarts(lasted_s: float) -> ConditionReading:
    """Judge ``restarts`` when a part of the signal ends, and once a new one has lasted for `LEAST_PART_S`.

    A shorter one is over before all rules could speak.

    Parameters
    ----------
    lasted_s : float
        Length of the part so far.
    """
    if lasted_s >= LEAST_PART_S:
        return ConditionReading("restarts", False)
    text = f"The signal has started again after {lasted_s:.1f} s, and keeps doing so; do several devices send at once?"
    return ConditionReading("restarts", True, text, lasted_s, LEAST_PART_S)


def clock(sent_at: float | None, expected: float | None, received: float) -> ConditionReading:
    """Judge ``clock`` when samples come.

    Parameters
    ----------
    sent_at : float or None
        Time of the newest sample by the sender's clock, seconds since 1970; None where the sender has none.
    expected : float or None
        What it should be after the samples before it: the time then, and the samples since by their rate. None for the
        first ones.
    received : float
        When they came, by the monitor's clock.
    """
    if sent_at is None:
        return ConditionReading("clock", None)
    off = sent_at - received
    if abs(off) > CLOCK_OFF_S:
        side = "ahead of" if off > 0 else "behind"
        text = f"The sender's clock is {abs(off):.0f} s {side} the monitor's."
        return ConditionReading("clock", True, text, abs(off), CLOCK_OFF_S)
    jump = 0.0 if expected is None else sent_at - expected
    if abs(jump) > CLOCK_JUMP_S:
        text = f"The sender's clock has jumped {'forwards' if jump > 0 else 'back'} by {abs(jump):.1f} s."
        return ConditionReading("clock", True, text, abs(jump), CLOCK_JUMP_S)
    return ConditionReading("clock", False)
