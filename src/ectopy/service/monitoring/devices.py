"""Devices and the patients to whom they are attached: in memory, and stored when it changes."""

from __future__ import annotations

import threading
from collections.abc import Callable

from ectopy.errors import SettingError
from ectopy.service.storage import Device, Store, check_name

MOST_DEVICES = 10_000


class Devices:
    """Devices that have named themselves, and their patients; `clock` gives seconds since 1970."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store, self._clock = store, clock
        self._lock = threading.Lock()
        self._attached = {device.device: device for device in store.patients.devices()}
        self._unsaved: dict[str, Device] = {}

    def attach(self, device: str, patient: str) -> None:
        """Attach a device to a patient from now on, and to no other.

        A `SettingError` if `device` is not 1 to 200 printable characters, or there are too many.
        """
        check_name(device)
        with self._lock:
            attached = self._attached.get(device)
            if attached is None and len(self._attached) >= MOST_DEVICES:
                raise SettingError(f"there are {MOST_DEVICES} devices already; let a device keep its name.")
            if attached is None or attached.patient != patient:
                self._attached[device] = self._unsaved[device] = Device(device, patient, self._clock())

    def patient_of(self, device: str) -> str | None:
        """Return the patient to whom a device is attached; None for an unknown device."""
        with self._lock:
            attached = self._attached.get(device)
        return None if attached is None else attached.patient

    def all(self) -> list[Device]:
        """Return all devices, by name."""
        with self._lock:
            return [self._attached[name] for name in sorted(self._attached)]

    def of(self, patient: str) -> list[str]:
        """Return the names of the devices that are attached to a patient."""
        return [device.device for device in self.all() if device.patient == patient]

    def save(self) -> None:
        """Store changes; after a `StorageError`, changes that are not stored are kept for the next time."""
        with self._lock:
            unsaved = tuple(self._unsaved.values())
        for device in unsaved:
            self._store.patients.attach(device.device, device.patient, device.since_time)
            with self._lock:
                if self._unsaved[device.device] is device:
                    del self._unsaved[device.device]
