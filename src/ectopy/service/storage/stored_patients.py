"""Patients, and the devices that send for them."""

from __future__ import annotations

from dataclasses import dataclass

import sqlalchemy as sa

from ectopy.errors import NotFoundError, SettingError
from ectopy.service.openapi_examples import with_example
from ectopy.service.storage import tables
from ectopy.service.storage.database import Database, replace_rows, upsert

_LONGEST_NAME = 200


@dataclass(frozen=True, slots=True)
class Patient:
    """A watched patient: the id, the name for people, which may be empty, and the time of enrolment."""

    patient: str
    name: str
    enrolled: float


@with_example(device="strap-7", patient="bed 3", since_time=1767225600.0)
@dataclass(frozen=True, slots=True)
class Device:
    """A device; the patient it has been attached to since a time, seconds since 1970, or None."""

    device: str
    patient: str | None
    since_time: float


class PatientStore:
    """Patients and devices; a `SettingError` for an id that is not 1 to 200 printable characters."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def upsert(self, patient: str, now: float, name: str = "") -> None:
        """Add a patient, or rename one."""
        check_name(patient)
        with self._database.writing() as connection:
            statement = upsert(connection, tables.patients).values(patient=patient, name=name, enrolled=now)
            connection.execute(
                statement.on_conflict_do_update(index_elements=["patient"], set_={"name": statement.excluded.name})
            )

    def enrol(self, patient: str, now: float) -> None:
        """Add a patient without a name, unless the patient is known."""
        check_name(patient)
        with self._database.writing() as connection:
            enrol(connection, patient, now)

    def all(self) -> list[Patient]:
        """Return all patients, in the order of enrolment."""
        columns = tables.patients.c
        query = sa.select(columns.patient, columns.name, columns.enrolled).order_by(columns.id)
        with self._database.reading() as connection:
            return [Patient(*row) for row in connection.execute(query)]

    def attach(self, device: str, patient: str | None, now: float) -> None:
        """Attach a device to a patient, or with None detach it."""
        check_name(device)
        with self._database.writing() as connection:
            owner = None if patient is None else patient_id(connection, patient)
            replace_rows(connection, tables.devices, [{"device": device, "patient_id": owner, "since": now}])

    def devices(self) -> list[Device]:
        """Return all devices, by name."""
        query = (
            sa.select(tables.devices.c.device, tables.patients.c.patient, tables.devices.c.since)
            .outerjoin_from(tables.devices, tables.patients)
            .order_by(tables.devices.c.device)
        )
        with self._database.reading() as connection:
            return [Device(*row) for row in connection.execute(query)]


def enrol(connection: sa.Connection, patient: str, now: float) -> None:
    """Add a patient without a name, unless the patient is known."""
    statement = upsert(connection, tables.patients).values(patient=patient, name="", enrolled=now)
    connection.execute(statement.on_conflict_do_nothing(index_elements=["patient"]))


def patient_id(connection: sa.Connection, patient: str) -> int:
    """Return the number of a patient in the tables; a `NotFoundError` if the patient is not enrolled."""
    query = sa.select(tables.patients.c.id).where(tables.patients.c.patient == patient)
    number: int | None = connection.execute(query).scalar_one_or_none()
    if number is None:
        raise NotFoundError(
            f"there is no patient {patient!r} in this database; name one whom the service watches or has watched."
        )
    return number


def check_name(name: str) -> None:
    """Check the id of a patient or a device; a `SettingError` if it is not 1 to 200 printable characters."""
    if not 0 < len(name) <= _LONGEST_NAME or not name.isprintable():
        raise SettingError(f"{name[:_LONGEST_NAME]!r} is not a name; give 1 to {_LONGEST_NAME} printable characters.")
