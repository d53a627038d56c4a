"""What the ward asks of an engine, whether it steps the monitors itself or has them stepped elsewhere."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from typing import Protocol

from ectopy.monitor import Input, Limits, Monitor, MonitorState
from ectopy.service.live.live_samples import SamplesListener
from ectopy.service.monitoring.write_buffer import Receipt, StepListener
from ectopy.service.notify import Target
from ectopy.service.storage import Store

SYSTEM_PATIENT = "station"
"""Not a patient: alarms about the process itself are raised for it."""


class PatientEngine(Protocol):
    """Watches the patients of a store; errors are those of `ectopy.service.monitoring.engine.MonitoringEngine`."""

    def admit(
        self, patient: str, name: str = "", limits: Limits | None = None, account: str = SYSTEM_PATIENT
    ) -> Future[Receipt] | None:
        """Begin to watch a patient, or resume a patient who is known or was discharged.

        Returns the future receipt of the command that admits a discharged patient, else None.
        """

    def patients(self) -> tuple[str, ...]:
        """Return all watched patients."""

    def is_name_stored(self, patient: str) -> bool:
        """Return whether the store has the patient's latest name."""

    def missing(self, patient: str, stream: str) -> list[tuple[int, int]]:
        """Return samples of a stream, as start and end positions, that were processed and could not be kept."""

    def state(self, patient: str) -> MonitorState:
        """Return the present state of a patient; a `NotFoundError` if the patient is not watched."""

    def submit(self, patient: str, input: Input) -> Future[Receipt]:
        """Hand in an input; its receipt says whether it outlives the process."""

    def run(self) -> None:
        """Watch until `stop`, once."""

    def stop(self) -> None:
        """Let `run` end as soon as what has come is safe."""

    @property
    def stopping(self) -> bool:
        """Whether `stop` was called."""


class EngineFactory(Protocol):
    """Makes an engine; the parameters are those of `ectopy.service.monitoring.engine.MonitoringEngine`."""

    def __call__(
        self,
        store: Store,
        monitor: Monitor,
        targets: Sequence[Target],
        bundle: str,
        clock: Callable[[], float],
        *,
        steady: Callable[[], float] | None,
        on_samples: SamplesListener | None,
        on_steps: StepListener,
        on_stored: StepListener,
    ) -> PatientEngine:
        """Make an engine, which watches nobody before it runs."""
