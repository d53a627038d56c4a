"""The monitor of one patient: a pure function from a state and an input to the next state and events.

No file, no network, no clock and no thread is touched here: the time comes with the inputs, and the same inputs give
the same events, however the samples are cut into chunks and wherever the state was stored and restored in between.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from ectopy.analysis.analysis import require_learning_time
from ectopy.analysis.interval_model import Histories, predict_together
from ectopy.analysis.patient_template import LEARNING_S
from ectopy.analysis.template_comparison import compare_together
from ectopy.analysis.verdicts import JudgingRules
from ectopy.detector import Detector
from ectopy.monitor.alarm_settings import AlarmSettings
from ectopy.monitor.detection import Comparison
from ectopy.monitor.inputs import Input
from ectopy.monitor.monitor_state import MonitorState
from ectopy.monitor.patient_step import Answer, Outcome, PatientStep, Question
from ectopy.presentation import short_repr
from ectopy.signal.front_end import SignalBlock, run_front_ends


@dataclass(frozen=True, slots=True)
class Monitor:
    """Watches patients, each by a state of its own.

    Attributes
    ----------
    criterion : JudgingRules
        By which beats are judged; from a detector for recordings.
    learning_s : float
        How long a patient's normal is learned from, 30 to 3600 s of signal.
    """

    __repr__ = short_repr

    criterion: JudgingRules
    alarms: AlarmSettings = field(default_factory=AlarmSettings)
    learning_s: float = LEARNING_S

    def __post_init__(self) -> None:
        require_learning_time(self.learning_s)

    @classmethod
    def of(cls, detector: Detector, learning_s: float = LEARNING_S) -> Monitor:
        """Watch with a detector for recordings, such as the shipped ``ambulatory``.

        Raises
        ------
        LayoutError
            If the detector is for other beats.
        SettingError
            If the time to learn from is out of range.
        """
        return cls(JudgingRules.of(detector), learning_s=learning_s)

    @property
    def detector(self) -> Detector:
        """The detector that judges beats."""
        return self.criterion.detector

    @property
    def baseline_threshold(self) -> float:
        """Threshold of beats that are compared with the patient's baseline."""
        return self.criterion.with_baseline

    def step(self, state: MonitorState, item: Input) -> Outcome:
        """Take one input.

        Returns
        -------
        state : MonitorState
            The same object where the input changed nothing.
        events : tuple of Event
        """
        (outcome,) = self.step_together([(state, item)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    def step_together(self, inputs: Sequence[tuple[MonitorState, Input]]) -> list[Outcome | Exception]:
        """Step many patients with one input each: the outcome of `step` for each, or its error, at less cost."""
        steps = [PatientStep(self.criterion, self.alarms, self.learning_s, state) for state, _ in inputs]
        works = [step.work(item) for step, (_, item) in zip(steps, inputs, strict=True)]
        failed: dict[int, Exception] = {}
        questions_by_step: dict[int, Question] = {}

        def go_on(number: int, answer: Answer | Exception | None) -> None:
            work = works[number]
            try:
                if isinstance(answer, Exception):
                    questions_by_step[number] = work.throw(answer)
                else:
                    questions_by_step[number] = next(work) if answer is None else work.send(answer)
            except StopIteration:
                pass
            except Exception as error:
                failed[number] = error

        for number in range(len(works)):
            go_on(number, None)
        while questions_by_step:
            numbers, questions = tuple(questions_by_step), tuple(questions_by_step.values())
            questions_by_step.clear()
            for number, answer in zip(numbers, _answers(questions, self.criterion), strict=True):
                go_on(number, answer)
        return [failed.get(number) or step.outcome() for number, step in enumerate(steps)]


def _answers(questions: Sequence[Question], rules: JudgingRules) -> Sequence[Answer | Exception]:
    """Run the front end, the comparison and the network on the batch; on failure retry one by one."""
    try:
        return _answers_together(questions, rules)
    except Exception:
        return [_answer(question, rules) for question in questions]


def _answer(question: Question, rules: JudgingRules) -> Answer | Exception:
    try:
        return _answers_together([question], rules)[0]
    except Exception as error:
        return error


def _answers_together(questions: Sequence[Question], rules: JudgingRules) -> list[Answer]:
    pieces = {number: question for number, question in enumerate(questions) if isinstance(question, SignalBlock)}
    pairs = {number: question for number, question in enumerate(questions) if isinstance(question, Comparison)}
    histories = {number: question for number, question in enumerate(questions) if isinstance(question, Histories)}
    answers: dict[int, Answer] = {}
    answers |= zip(pieces, run_front_ends(list(pieces.values())), strict=True)
    answers |= zip(pairs, compare_together(list(pairs.values()), rules.reconstruction), strict=True)
    answers |= zip(histories, predict_together(rules.intervals, list(histories.values())), strict=True)
    return [answers[number] for number in range(len(questions))]
