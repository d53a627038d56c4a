"""One step of the monitor of a patient: from its state and an input to the next state and events.

A step asks for work that is done for many patients together, and goes on with the answers; see `Work`.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence
from math import inf
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ectopy.analysis.interval_model import Histories, Surprise
from ectopy.analysis.template_comparison import BeatDifference
from ectopy.analysis.verdicts import JudgingRules, reason
from ectopy.detector import Verdict
from ectopy.errors import EctopyError, SettingError
from ectopy.monitor.alarm import Transition
from ectopy.monitor.alarm_log import seal_with
from ectopy.monitor.alarm_settings import AlarmSettings
from ectopy.monitor.alarms import PatientAlarms, apply_command, expire, update_conditions
from ectopy.monitor.chunk_assembly import (
    LONGEST_FILLED_S,
    WAIT_S,
    AssembledChunk,
    Segment,
    arrive,
    flush_gap,
    missing_before_s,
    require_count,
    validated_samples,
)
from ectopy.monitor.clock_pace import Pace
from ectopy.monitor.conditions import CONDITIONS, Basis
from ectopy.monitor.detection import (
    Comparison,
    Detected,
    detect_end,
    detect_step,
    judge_step,
    next_comparison,
    next_piece,
    relearn,
    with_normal,
)
from ectopy.monitor.detection_state import DetectionState
from ectopy.monitor.events import AlarmChanged, BeatJudged, Event, Evidence, InputRejected, Notice, QualityChanged
from ectopy.monitor.evidence import KEPT_BEATS, evidence_of, strip_s
from ectopy.monitor.fibrillation_rule import WaveformState, unless_tachycardia, waveform_step, without_silence
from ectopy.monitor.inputs import Chunk, Command, CommandKind, End, Input, RejectedInput, ServiceReport, Tick
from ectopy.monitor.monitor_state import MonitorState, Signal
from ectopy.monitor.patient_time import follow_samples, keep_time, shift_time, stream_second, timers_to_s
from ectopy.monitor.pulse_asystole import with_asystole
from ectopy.monitor.pulse_confirmation import apply_pulse
from ectopy.monitor.pulse_loss import pulse_readings
from ectopy.monitor.pulse_memory import PulseMemory, remember, remember_end
from ectopy.monitor.pulse_stream import MARGIN_S, PulseStream, check_pulses, fresh_pulses, pulse_pieces, take_pulses
from ectopy.monitor.repeated_complexes import unless_unlike
from ectopy.monitor.rhythm import rhythm_step
from ectopy.monitor.rhythm_input import ConditionReading, DetectorOutput, JudgedBeats
from ectopy.monitor.rhythm_state import RhythmState
from ectopy.monitor.segment_start import fresh_detection, remember_leads
from ectopy.monitor.status import origin
from ectopy.monitor.technical import LEAST_PART_S, NO_DATA_S, TechnicalState, clock, no_data, restarts, technical_step
from ectopy.presentation import finite_or_none
from ectopy.signal.beat_segments import BeatSegments, no_beats
from ectopy.signal.front_end import FrontEndResult, SignalBlock
from ectopy.signal.state_replace import replace

_MOST_AHEAD_S = 60.0
_BEATS_WITHIN_S = 10.0
_CLEARED = (ConditionReading("no data", False), ConditionReading("detector failed", False))

Outcome = tuple[MonitorState, tuple[Event, ...]]
"""The next state, and events."""

Question = SignalBlock | Comparison | Histories
Answer = FrontEndResult | BeatDifference | Surprise
Work = Generator[Question, Any, None]
"""Yields signal for the front end, beats to compare, or histories of RR intervals, and goes on with the answer."""


class PatientStep:
    """One step while it is made: the state as it changes, and the events so far."""

    def __init__(self, rules: JudgingRules, alarms: AlarmSettings, learning_s: float, state: MonitorState) -> None:
        self._rules, self._alarm_settings, self._learning_s = rules, alarms, learning_s
        self.state = state
        self.events: list[Event] = []
        self.received: float | None = None

    def outcome(self) -> Outcome:
        """Return the next state and the events."""
        if not self.events:
            return self.state, ()
        return replace(self.state, events=self.state.events + len(self.events)), tuple(self.events)

    # Inputs

    def work(self, item: Input) -> Work:
        """Take an input."""
        match item:
            case Chunk() if self.state.discharged:
                self.refuse(item.received, "this patient is discharged; admit the patient first.")
            case Tick() | ServiceReport() if self.state.discharged:
                pass
            case Chunk():
                yield from self.take(item)
            case Tick():
                yield from self.tick(item)
            case Command():
                self.execute(item)
            case ServiceReport():
                self.report(item)
            case RejectedInput():
                self.refuse(item.now, item.reason)
            case End() if not self.state.discharged:
                yield from self.end()

    def take(self, chunk: Chunk) -> Work:
        """Take samples."""
        try:
            samples = validated_samples(chunk)
            check_pulses(chunk)
        except EctopyError as error:
            self.refuse(chunk.received, str(error))
            return
        length_s = len(samples) / chunk.sampling_rate_hz
        signal = self.state.signal
        self.received = chunk.received
        # Samples of the same segment: check their position, follow the device's clock, fill or end at a gap.
        if signal is not None and not signal.ended and signal.segment.continued_by(chunk):
            end_s = signal.segment.second(chunk.position + len(samples))
            ahead_s = end_s - (chunk.received - origin(self.state))
            has_hole = chunk.position > signal.segment.next_position
            # Samples without a hole before them are ahead where the clock was set, or more come than time has passed.
            if has_hole and ahead_s > _MOST_AHEAD_S + self.state.leap_s:
                text = (
                    f"position {chunk.position} lies {ahead_s:.0f} s ahead of the time; count from the stream's start."
                )
                self.refuse(chunk.received, text)
                return
            if chunk.position + len(samples) > signal.segment.next_position:
                self.state = follow_samples(self.state, chunk.received, end_s, has_hole=has_hole)
            if missing_before_s(signal.segment, chunk.position) > LONGEST_FILLED_S:
                yield from self._finish()
                missing_s = missing_before_s(signal.segment, chunk.position)
                self._begin(chunk, signal.segment.second(chunk.position), "gap", f"{missing_s:.0f} s are missing.")
        else:
            try:
                require_count(chunk)
            except EctopyError as error:
                self.refuse(chunk.received, str(error))
                return
            yield from self._begin_other(chunk, length_s)
        # Put the samples in order, and analyse the blocks that are complete.
        signal = self._signal
        self._check_clock(chunk, signal.segment.second(chunk.position))
        self._take_pulses(chunk)
        arrived = arrive(signal.segment, chunk.position, samples)
        if arrived.late:
            late_s = arrived.late / chunk.sampling_rate_hz
            text = f"{late_s:.2f} s came late or twice and were not taken."
            self._notice(signal.segment.second(chunk.position + arrived.late), "late", text, arrived.late)
        yield from self._process(arrived, chunk.received if arrived.late < len(samples) else -inf)

    def end(self) -> Work:
        """Judge the last seconds of a stream that has ended."""
        if self.state.signal is None or self.state.signal.ended:
            return
        yield from self._finish()
        self.state = replace(self.state, signal=replace(self._signal, ended=True))

    def _finish(self) -> Work:
        """Judge the last seconds of a segment that nothing continues."""
        if self._signal.ended:
            return
        yield from self._process(flush_gap(self._signal.segment))
        segment = self._signal.segment
        if self._signal.origin < segment.next_position:
            yield from self._piece(segment.samples, segment.next_position, last=True)

    def tick(self, tick: Tick) -> Work:
        """Let time pass: silence, late samples that do not come, timers of alarms."""
        now = tick.now
        if (tick.set_s is not None) != self.state.has_second_clock:
            self.state = replace(self.state, has_second_clock=tick.set_s is not None)
        if tick.set_s and self.state.epoch is not None:
            self.state = shift_time(self.state, tick.set_s)
        self.state = keep_time(self.state, now)
        if self.state.received - now > NO_DATA_S:  # the clock was set back: silence counts from now
            self.state = replace(self.state, received=now)
        signal = self.state.signal
        now_s = timers_to_s(self.state, now)
        if signal is not None and signal.segment.buffered and now - self.state.received > WAIT_S:
            yield from self._process(flush_gap(signal.segment))
        reading = no_data(now, self.state.received)
        if tick.expected and reading.present and not self.state.silent:
            self.state = replace(self.state, silent=True)
            self._apply_readings(self.state.received + NO_DATA_S - origin(self.state), (reading,), now_s)
        self._alarms(*expire(self.state.alarms, self._alarm_settings, now_s))

    def execute(self, command: Command) -> None:
        """Carry out a command of an operator."""
        self.state = keep_time(self.state, command.now)
        at_s = stream_second(self.state, command.now)
        try:
            self._execute(command, at_s)
        except EctopyError as error:
            self.refuse(command.now, str(error))

    def report(self, report: ServiceReport) -> None:
        """Take a reading about the service itself."""
        if report.reading.condition not in CONDITIONS:
            self.refuse(report.now, f"there is no condition {report.reading.condition!r}.")
            return
        self.state = keep_time(self.state, report.now)
        self._apply_readings(stream_second(self.state, report.now), (report.reading,))

    def refuse(self, now: float, reason: str) -> None:
        """Reject an input."""
        self._add(InputRejected(self._number(), stream_second(self.state, now), reason))

    def _execute(self, command: Command, at_s: float) -> None:
        signal = self.state.signal
        match command.kind:
            case CommandKind.SET_LIMITS if command.limits is not None:
                self.state = replace(self.state, limits=command.limits)
                self._notice(at_s, "limits", f"{command.person} set the limits of profile {command.limits.profile}.")
            case CommandKind.SET_NORMAL if command.normal is not None:
                self.state = replace(self.state, normal=command.normal)
                if signal is not None:
                    template = command.normal.for_leads(signal.segment.leads)
                    if template is not None:
                        detection = with_normal(signal.detection, template)
                        self.state = replace(self.state, signal=replace(signal, detection=detection))
                self._notice(at_s, "baseline", f"{command.person} gave the patient's normal.")
            case CommandKind.RELEARN:
                if signal is not None:
                    signal = replace(signal, detection=relearn(signal.detection))
                # A part that begins before the new one is known does not go back to the former one.
                rhythm = replace(self.state.rhythm, asystole_s=None)
                self.state = replace(self.state, signal=signal, normal=None, rhythm=rhythm, leads={})
                self._notice(at_s, "baseline", f"{command.person} had the patient's normal learned again.")
            case CommandKind.DISCHARGE:
                self._discharge(command, at_s)
            case CommandKind.ADMIT:
                self._admit(command, at_s)
            case _:
                self._alarms(*apply_command(self.state.alarms, self._alarm_settings, at_s, command))

    def _discharge(self, command: Command, at_s: float) -> None:
        if self.state.discharged:
            raise SettingError("this patient is discharged already.")
        self._alarms(*apply_command(self.state.alarms, self._alarm_settings, at_s, command))
        signal = self.state.signal
        self.state = replace(
            self.state,
            signal=None if signal is None else signal.without_samples(),
            rhythm=RhythmState(),
            waveform=WaveformState(),
            technical=TechnicalState(),
            silent=False,
            discharged=True,
            leads={},
            pulses=PulseStream(),
            pulse=PulseMemory(),
        )
        self._notice(at_s, "discharged", f"{command.person} discharged the patient.")

    def _admit(self, command: Command, at_s: float) -> None:
        """Watch a discharged patient as a new one, with the former limits and normal."""
        if not self.state.discharged:
            raise SettingError("this patient is watched already.")
        self.state = replace(self.state, signal=None, received=command.now, discharged=False)
        self._notice(at_s, "admitted", f"{command.person} admitted the patient again.")

    # Segments

    def _begin_other(self, chunk: Chunk, length_s: float) -> Work:
        """Begin a stream, or a segment after a change of rate, leads or count."""
        before = self.state.signal
        self.state = replace(self.state, pace=Pace())
        if self.state.epoch is None:
            origin_s = chunk.position / chunk.sampling_rate_hz
            self.state = replace(self.state, epoch=chunk.received - origin_s - length_s, received=chunk.received)
        else:
            origin_s = max(chunk.received - origin(self.state) - length_s, self.state.clock_s)
        if before is None:
            self._begin(chunk, origin_s, "", "")
            return
        yield from self._finish()
        old = self._signal.segment
        end_s = old.second(old.next_position)
        origin_s = max(origin_s, end_s)
        if origin_s - end_s < NO_DATA_S:
            self._apply_readings(origin_s, (restarts(end_s - old.origin_s),))
        if chunk.leads != old.leads:
            subject, text = "leads", f"The leads are now {', '.join(chunk.leads)}."
        elif chunk.sampling_rate_hz != old.rate_hz:
            subject, text = "rate", f"The sampling rate is now {chunk.sampling_rate_hz:g} Hz."
        else:
            subject, text = "restarted", "The sender counts from the start again."
        self._begin(chunk, origin_s, subject, text)

    def _begin(self, chunk: Chunk, origin_s: float, subject: str, text: str) -> None:
        self.state = remember_leads(self.state)
        detection = fresh_detection(self.state, chunk.sampling_rate_hz, chunk.leads)
        signal = Signal(Segment.beginning(chunk, origin_s), chunk.position, detection, no_beats(len(chunk.leads)))
        pulses = fresh_pulses(self.state.pulses, chunk)
        self.state = replace(self.state, signal=signal, sent_offset_s=None, pulses=pulses)
        if subject:
            self._notice(origin_s, subject, text)

    def _check_clock(self, chunk: Chunk, at_s: float) -> None:
        if chunk.sent_at is None:
            return
        offset_s = self.state.sent_offset_s
        expected = None if offset_s is None else offset_s + at_s
        length_s = len(chunk.signal) / chunk.sampling_rate_hz
        newest = (chunk.sent_at + length_s, None if expected is None else expected + length_s)
        reading = clock(*newest, chunk.received)
        self._apply_readings(max(at_s, self.state.clock_s), (reading,))
        self.state = replace(self.state, sent_offset_s=chunk.sent_at - at_s)

    # Signal

    @property
    def _signal(self) -> Signal:
        assert self.state.signal is not None
        return self.state.signal

    def _process(self, arrived: AssembledChunk, received: float = -inf) -> Work:
        segment, signal = arrived.segment, self._signal
        first = segment.pieces - len(arrived.pieces)
        signal = Signal(segment, signal.origin, signal.detection, signal.recent, signal.words)
        self.state = replace(self.state, signal=signal, received=max(self.state.received, received))
        if arrived.gap_s:
            self._notice(segment.second(segment.next_position), "gap", f"{arrived.gap_s:.2f} s are missing.")
        for number, piece in enumerate(arrived.pieces, start=first + 1):
            yield from self._piece(piece, segment.piece_begins(number))

    def _take_pulses(self, chunk: Chunk) -> None:
        if not chunk.pulses:
            return
        pulses, notices = take_pulses(self.state.pulses, chunk)
        self.state = replace(self.state, pulses=pulses)
        for text in notices:
            self._notice(self._signal.segment.second(chunk.position), "pulse", text)

    def _piece(self, piece: NDArray[np.float32], end: int, *, last: bool = False) -> Work:
        before, reported = self.state, len(self.events)
        try:
            if len(piece):
                yield from self._analyse(piece, end)
            if last:
                yield from self._last(end)
        except Exception as error:  # a fault of the software must be told, and must not end the watching
            self.state = before
            del self.events[reported:]
            self._fail(end, error)

    def _analyse(self, piece: NDArray[np.float32], end: int) -> Work:
        signal = self._signal
        segment = signal.segment
        frontend, sensed = yield next_piece(signal.detection, piece, segment.rate_hz)
        detection, unjudged = detect_step(signal.detection, frontend, sensed)
        comparison = next_comparison(detection, unjudged)
        evidence = None if comparison is None else (yield comparison)
        judged = yield from judge_step(detection, unjudged, segment.leads, self._rules, self._learning_s, evidence)
        self._take_over(end, *judged)

    def _last(self, end: int) -> Work:
        """Judge what the end of the signal, at this position, leaves."""
        signal = self._signal
        rate_hz, leads = signal.segment.rate_hz, signal.segment.leads
        duration_s = (end - signal.origin) / rate_hz
        judged = yield from detect_end(signal.detection, rate_hz, duration_s, leads, self._rules, self._learning_s)
        self._take_over(end, *judged, pulse_margin_s=0.0)

    def _take_over(
        self, end: int, detection: DetectionState, detected: Detected, pulse_margin_s: float = MARGIN_S
    ) -> None:
        """Apply the rules to what was detected up to a position, and to the pulse waves of that time."""
        state, signal = self.state, self._signal
        segment = signal.segment
        at_s = segment.second(end)
        words = tuple(detected.word[:, -1].tolist()) if detected.word.shape[1] else signal.words
        findings = _findings(detected, at_s, signal.origin_s, words, segment.leads)
        # The rules of waveform, rhythm and equipment; fibrillation and tachycardia decide between each other.
        waveform, fibrillation = waveform_step(state.waveform, findings)
        rhythm, rhythmic = rhythm_step(state.rhythm, state.limits, findings)
        rhythmic = _with_confidence(rhythmic, self._confidence(detected))
        recent = signal.recent
        if len(detected.beats):
            recent = BeatSegments.joined([recent, detected.beats])[-KEPT_BEATS:]
        rhythmic = unless_unlike(rhythmic, recent, signal.origin_s)
        waveform, fibrillation = unless_tachycardia(waveform, fibrillation, rhythmic, rhythm)
        rhythmic = (fibrillation, *without_silence(waveform, rhythmic))
        technical, technically = technical_step(state.technical, findings)
        # The pulse confirms or contradicts what the rhythm says.
        pulses, pulse, rhythmic, by_pulse = self._compare_with_pulse(end, findings, rhythm, rhythmic, pulse_margin_s)
        # Events of quality and beats come before the alarms that rest on them.
        self._quality(at_s, signal, detected, detection.seconds.judged)
        self._beats(at_s, detected)
        self.state = replace(
            state,
            signal=Signal(segment, signal.origin, detection, recent, words),
            rhythm=rhythm,
            waveform=waveform,
            technical=technical,
            silent=False,
            clock_s=max(at_s, state.clock_s),
            pulses=pulses,
            pulse=pulse,
        )
        self._keep_normal(signal.detection, detection)
        learned = self._learned(at_s, detection) if detected.learned else ()
        part_s = at_s - segment.origin_s
        lasts = (restarts(part_s),) if part_s >= LEAST_PART_S else ()
        self._apply_readings(at_s, (*_CLEARED, *lasts, *learned, *rhythmic, *by_pulse, *technically))

    def _fail(self, end: int, error: Exception) -> None:
        segment = self._signal.segment
        at_s = segment.second(end)
        self.state = remember_leads(self.state)
        detection = fresh_detection(self.state, segment.rate_hz, segment.leads)
        self.state = replace(
            self.state,
            signal=Signal(segment, end, detection, no_beats(len(segment.leads))),
            # An asystole goes on until a beat ends it.
            rhythm=RhythmState(asystole_s=self.state.rhythm.asystole_s),
            technical=TechnicalState(),
            clock_s=max(at_s, self.state.clock_s),
        )
        text = f"The signal could not be analysed: {type(error).__name__}."
        self._apply_readings(at_s, (ConditionReading("detector failed", True, text),))

    def _compare_with_pulse(
        self,
        end: int,
        findings: DetectorOutput,
        rhythm: RhythmState,
        rhythmic: tuple[ConditionReading, ...],
        margin_s: float,
    ) -> tuple[PulseStream, PulseMemory, tuple[ConditionReading, ...], tuple[ConditionReading, ...]]:
        """Take the pulse waves up to a position, and compare the readings of the rhythm with them."""
        state, segment = self.state, self._signal.segment
        try:
            pulses, pieces = pulse_pieces(state.pulses, end / segment.rate_hz, segment.second(0), margin_s)
            pulse = remember(state.pulse, pieces, findings.beats)
            if not margin_s:
                pulse = remember_end(pulse)
            beats = sum(beat_s > findings.complete_to_s - _BEATS_WITHIN_S for beat_s in rhythm.detected_s)
            pulse, by_pulse = pulse_readings(pulse, findings.at_s, beats=beats if findings.readable else 0)
            if findings.readable:
                rhythmic = with_asystole(
                    pulse, rhythmic, rhythm.detected_s, findings.complete_to_s, state.limits.asystole_s
                )
            active = {code for code, timer in state.alarms.timers.items() if timer.is_active}
            return pulses, pulse, apply_pulse(pulse, rhythmic, findings.complete_to_s, active), by_pulse
        except Exception as error:  # a fault in the analysis of the pulse must not touch that of the ECG
            text = f"The pulse could not be analysed: {type(error).__name__}."
            unknown = (ConditionReading("not confirmed by pulse", False), ConditionReading("loss of pulse", None))
            return (
                replace(state.pulses, waves=()),
                PulseMemory(),
                (*rhythmic, *unknown),
                (ConditionReading("probe off", True, text),),
            )

    def _keep_normal(self, before: DetectionState, after: DetectionState) -> None:
        """Save the adapted normal, for the next segment too."""
        normal = after.baseline.normal
        if normal is None or normal is before.baseline.normal or after.learning is not None:
            return
        if self.state.normal is not None and self.state.normal.leads == normal.leads:
            self.state = replace(self.state, normal=normal)

    def _learned(self, at_s: float, detection: DetectionState) -> tuple[ConditionReading]:
        baseline = detection.baseline
        self.state = replace(self.state, normal=baseline.normal or self.state.normal)
        self._notice(at_s, "baseline", baseline.text)
        return (ConditionReading("baseline", baseline.doubtful, baseline.text if baseline.doubtful else ""),)

    # Events

    def _quality(self, at_s: float, signal: Signal, detected: Detected, judged: int) -> None:
        before = signal.words or ("",) * len(signal.segment.leads)
        first_s = signal.origin_s + judged - detected.word.shape[1]
        for second in range(detected.word.shape[1]):
            now = tuple(detected.word[:, second].tolist())
            for lead, (name, word) in enumerate(zip(signal.segment.leads, now, strict=True)):
                if word != before[lead]:
                    index = float(detected.index[lead, second])
                    self._add(QualityChanged(self._number(), at_s, name, word, index, first_s + second))
            before = now

    def _beats(self, at_s: float, detected: Detected) -> None:
        beats, judgement = detected.beats, detected.judgement
        signal = self._signal
        columns = (beats.times_s, beats.rr_s, judgement.verdict, judgement.hint, judgement.score, judgement.p_value)
        rows = zip(*(column.tolist() for column in columns), strict=True)
        for beat, (time_s, rr_s, verdict, hint, score, p_value) in enumerate(rows):
            self._add(
                BeatJudged(
                    number=self._number(),
                    at_s=at_s,
                    beat_s=signal.origin_s + time_s,
                    position=signal.origin + round(time_s * signal.segment.rate_hz),
                    interval_s=finite_or_none(rr_s),
                    verdict=verdict,
                    hint=hint,
                    score=finite_or_none(score),
                    p_value=finite_or_none(p_value),
                    threshold=judgement.threshold,
                    reason="" if verdict == Verdict.NORMAL else reason(beats, judgement, beat),
                    confidence=self._confidence(detected),
                )
            )

    def _confidence(self, detected: Detected) -> str:
        """Say how far to trust the verdicts of the beats just judged."""
        return "" if detected.learned else self._signal.detection.baseline.confidence

    def _apply_readings(self, at_s: float, readings: Sequence[ConditionReading], now_s: float | None = None) -> None:
        if now_s is None and self.received is not None:
            now_s = stream_second(self.state, self.received)
        self._alarms(*update_conditions(self.state.alarms, self._alarm_settings, at_s, readings, now_s))

    def _alarms(self, alarms: PatientAlarms, transitions: tuple[Transition, ...]) -> None:
        if alarms is self.state.alarms:
            return
        evidence = [self._evidence(transition) for transition in transitions]
        if any(each is not None for each in evidence):
            transitions = seal_with(transitions, evidence)
            alarms = replace(alarms, digest=transitions[-1].digest)
        self.state = replace(self.state, alarms=alarms)
        for transition, each in zip(transitions, evidence, strict=True):
            self._alarm_changed(transition, each)

    def _alarm_changed(self, transition: Transition, evidence: Evidence | None) -> None:
        alarm = transition.alarm
        strip, origins = strip_s(alarm.latest, alarm.present_s), self._origins(transition)
        self._add(AlarmChanged(self._number(), transition.at_s, transition, strip, evidence, origins))
        if alarm.ended_s is not None:
            left = {number: pair for number, pair in self.state.origins.items() if number != alarm.number}
            self.state = replace(self.state, origins=left)

    def _evidence(self, transition: Transition) -> Evidence | None:
        alarm, signal = transition.alarm, self.state.signal
        if signal is None or transition.change not in ("raised", "returned"):
            return None
        baseline, detector = signal.detection.baseline, self._rules.detector
        return evidence_of(alarm.latest, signal.recent, signal.origin_s, signal.segment.leads, baseline, detector)

    def _origins(self, transition: Transition) -> tuple[float, float] | None:
        """Return stream second 0 by the clock when this alarm was raised, and when its condition returned."""
        number, epoch = transition.alarm.number, round(origin(self.state), 3)
        before = self.state.origins.get(number)
        if transition.change == "raised":
            origins = epoch, epoch
        elif transition.change in ("returned", "continued") and before is not None:
            origins = before[0], epoch
        else:
            return before
        self.state = replace(self.state, origins=self.state.origins | {number: origins})
        return origins

    def _notice(self, at_s: float, subject: str, text: str, samples: int = 0) -> None:
        self._add(Notice(self._number(), at_s, subject, text, samples))

    def _number(self) -> int:
        return self.state.events + len(self.events) + 1

    def _add(self, event: Event) -> None:
        self.events.append(event)


def _with_confidence(readings: tuple[ConditionReading, ...], confidence: str) -> tuple[ConditionReading, ...]:
    """Add to readings of beat shapes how far to trust them."""
    if not confidence:
        return readings
    return tuple(
        replace(reading, text=f"{reading.text} ({confidence})")
        if reading.present and CONDITIONS[reading.condition].basis is Basis.SHAPES
        else reading
        for reading in readings
    )


def _findings(
    detected: Detected, at_s: float, origin_s: float, words: tuple[str, ...], leads: tuple[str, ...]
) -> DetectorOutput:
    beats, judgement = detected.beats, detected.judgement
    judged = JudgedBeats(
        time_s=beats.times_s + origin_s,
        interval_s=detected.intervals_s,
        verdict=judgement.verdict,
        hint=judgement.hint,
        credible=detected.credible,
    )
    return DetectorOutput(
        at_s,
        detected.complete_to_s + origin_s,
        detected.detected_s + origin_s,
        judged,
        words,
        detected.motionless,
        noise_is_low=any(word == "noisy" and clear for word, clear in zip(words, detected.clear, strict=False)),
        leads=leads,
        waveform=detected.waveform,
    )
