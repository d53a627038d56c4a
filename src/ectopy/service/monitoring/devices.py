"""Which device is attached to whom: known in memory, and stored when it changes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ectopy.errors import SettingError
from ectopy.service.storage import Device, Store, check_name

MOST_DEVICES = 10_000


class Devices:
    """Devices that have named themselves, and their patients.

    Parameters
    ----------
    store : Store
    clock : callable
        Gives seconds since 1970.

    Raises
    ------
    StorageError
        If the store fails.
    """

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._attached = {one.device: one for one in store.patients.devices()}
        self._unsaved: dict[str, Device] = {}

    def attach(self, device: str, patient: str) -> None:
        """Attach a device to a patient from now on; who had it has it no longer.

        Raises
        ------
        SettingError
            If `device` is not 1 to 200 printable characters, or one too many.
        """
        check_name(device)
        with self._lock:
            known = self._attached.get(device)
            if known is None and len(self._attached) >= MOST_DEVICES:
                raise SettingError(f"there are {MOST_DEVICES} devices already; let a device keep its name.")
            if known is None or known.patient != patient:
                self._attached[device] = self._unsaved[device] = Device(device, patient, self._clock())

    def patient_of(self, device: str) -> str | None:
        """To whom a device is attached; None for one that is not known."""
        with self._lock:
            known = self._attached.get(device)
        return None if known is None else known.patient

    def all(self) -> list[Device]:
        """All devices, by name."""
        with self._lock:
            return [self._attached[name] for name in sorted(self._attached)]

    def of(self, patient: str) -> list[str]:
        """Names of the devices that are attached to a patient."""
        return [one.device for one in self.all() if one.patient == patient]

    def save(self) -> None:
        """Store what has changed.

        Raises
        ------
        StorageError
            If the store fails; what is not stored is kept for the next time.
        """
        with self._lock:
            unsaved = tuple(self._unsaved.values())
        for one in unsaved:
            self._store.patients.attach(one.device, one.patient, one.since)
            with self._lock:
                if self._unsaved[one.device] is one:
                    del self._unsaved[one.device]
