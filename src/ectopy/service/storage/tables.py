"""The tables. Patients have a short number here, so that millions of rows need not repeat their id.

Times are seconds since 1970 (UTC) unless a name says otherwise; ``at_s`` and ``beat_s`` are stream seconds.
"""

from __future__ import annotations

import sqlalchemy as sa
from sqlalchemy.engine import Dialect


class SafeText(sa.types.TypeDecorator[str]):
    """Text from outside, without the characters that a database cannot store."""

    impl = sa.Text
    cache_ok = True

    def process_bind_param(self, value: str | None, dialect: Dialect) -> str | None:
        """Replace NUL characters and lone surrogates."""
        return value if value is None else value.encode(errors="replace").decode().replace("\0", "\ufffd")


# SQLite assigns ids only in a column of exactly this type.
BigIntId = sa.BigInteger().with_variant(sa.Integer(), "sqlite")

metadata = sa.MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


def _patient(primary_key: bool = False) -> sa.Column[int]:
    return sa.Column(
        "patient_id",
        BigIntId,
        sa.ForeignKey("patients.id"),
        primary_key=primary_key,
        autoincrement=False,
        nullable=False,
    )


patients = sa.Table(
    "patients",
    metadata,
    sa.Column("id", BigIntId, primary_key=True),
    sa.Column("patient", sa.Text, nullable=False, unique=True),
    sa.Column("name", SafeText, nullable=False),
    sa.Column("enrolled", sa.Double, nullable=False),
)

devices = sa.Table(
    "devices",
    metadata,
    sa.Column("device", sa.Text, primary_key=True),
    sa.Column("patient_id", BigIntId, sa.ForeignKey("patients.id")),
    sa.Column("since", sa.Double, nullable=False),
)

# One row for each layout of a stream: its rate and leads may change while it counts on.
streams = sa.Table(
    "streams",
    metadata,
    sa.Column("id", BigIntId, primary_key=True),
    _patient(),
    sa.Column("stream", sa.Text, nullable=False),
    sa.Column("sampling_rate_hz", sa.Double, nullable=False),
    sa.Column("leads", sa.Text, nullable=False, comment="JSON"),
    sa.Column("unit", sa.Text, nullable=False),
    sa.Column("longest", sa.Integer, nullable=False, comment="samples of its longest chunk"),
    sa.UniqueConstraint("patient_id", "stream", "sampling_rate_hz", "leads", "unit"),
)

# `number` counts the inputs of a patient from 1, over this table and `journal` together.
waveforms = sa.Table(
    "waveforms",
    metadata,
    _patient(primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("stream_id", BigIntId, sa.ForeignKey("streams.id"), nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("samples", sa.Integer, nullable=False),
    sa.Column("received", sa.Double, nullable=False),
    sa.Column("sent", sa.Double),
    sa.Column("signal", sa.LargeBinary, nullable=False, comment="float32, little-endian, lead after lead per sample"),
    sa.Column("pulses", sa.LargeBinary, comment="msgpack; none where there are no pulse waves"),
    sa.Index(None, "stream_id", "position"),
)

journal = sa.Table(
    "journal",
    metadata,
    _patient(primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack"),
)

snapshots = sa.Table(
    "snapshots",
    metadata,
    _patient(primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False, comment="last input in it"),
    sa.Column("event", sa.BigInteger, nullable=False, comment="last event before it"),
    sa.Column("state", sa.LargeBinary, nullable=False),
)

# `number` counts the events of a patient from 1, over this table and `events` together.
beats = sa.Table(
    "beats",
    metadata,
    _patient(primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("at_s", sa.Double, nullable=False),
    sa.Column("beat_s", sa.Double, nullable=False),
    sa.Column("position", sa.BigInteger, nullable=False),
    sa.Column("interval_s", sa.Double),
    sa.Column("verdict", sa.Text, nullable=False),
    sa.Column("hint", sa.Text, nullable=False),
    sa.Column("score", sa.Double),
    sa.Column("p_value", sa.Double),
    sa.Column("threshold", sa.Double),
    sa.Column("reason", sa.Text, nullable=False),
    sa.Column("confidence", sa.Text, comment="none for the most part: the patient's normal is known"),
    sa.Index(None, "patient_id", "time"),
    sqlite_with_rowid=False,
)

# All events but beats, across patients in the order in which they were stored.
events = sa.Table(
    "events",
    metadata,
    sa.Column("id", BigIntId, primary_key=True),
    _patient(),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("kind", sa.Text, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack"),
    sa.UniqueConstraint("patient_id", "number"),
    sa.Index(None, "patient_id", "time"),
)

# Index of the alarm log; the entries themselves, chained by their digests, are the events of these numbers.
alarm_log = sa.Table(
    "alarm_log",
    metadata,
    _patient(primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("event", sa.BigInteger, nullable=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("alarm", sa.BigInteger, nullable=False),
    sa.Column("change", sa.Text, nullable=False),
    sa.Column("who", SafeText, nullable=False),
    sa.Column("why", SafeText, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
    sa.UniqueConstraint("patient_id", "event"),
)

# Evidence of alarms by the number of their event: large, and deleted after a time, while the log stays.
evidence = sa.Table(
    "evidence",
    metadata,
    _patient(primary_key=True),
    sa.Column("event", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack"),
    sa.Index(None, "patient_id", "time"),
)

# The last entry of each patient's log that was verified, and its digest.
checkpoints = sa.Table(
    "checkpoints",
    metadata,
    _patient(primary_key=True),
    sa.Column("number", sa.BigInteger, nullable=False),
    sa.Column("digest", sa.Text, nullable=False),
)

# Time of stream second 0 from an input on: it changes when the clock is set, and when a device runs slow or fast.
origins = sa.Table(
    "origins",
    metadata,
    _patient(primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("origin", sa.Double, nullable=False),
)

# The service that writes to this database; see `ectopy.service.storage.lease`.
leases = sa.Table(
    "leases",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("token", sa.Text, nullable=False),
    sa.Column("renewals", sa.BigInteger, nullable=False),
    sa.Column("holder", sa.Text, nullable=False),
    sa.Column("since", sa.Double, nullable=False),
    sa.Column("renewed", sa.Double, nullable=False),
)

# Present state of alarms, since the event of that number.
alarms = sa.Table(
    "alarms",
    metadata,
    _patient(primary_key=True),
    sa.Column("number", sa.BigInteger, primary_key=True, autoincrement=False),
    sa.Column("condition", sa.Text, nullable=False),
    sa.Column("priority", sa.Integer, nullable=False),
    sa.Column("phase", sa.Text, nullable=False, index=True),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("origin", sa.Double, nullable=False, comment="time of stream second 0"),
    sa.Column("event", sa.BigInteger, nullable=False),
    sa.Index(None, "patient_id", "event"),
)

# Commands of operators, enqueued by another process, that the monitor has not applied yet.
commands = sa.Table(
    "commands",
    metadata,
    sa.Column("id", BigIntId, primary_key=True),
    _patient(),
    sa.Column("body", sa.LargeBinary, nullable=False, comment="msgpack"),
)

audit = sa.Table(
    "audit",
    metadata,
    sa.Column("id", BigIntId, primary_key=True),
    sa.Column("time", sa.Double, nullable=False),
    sa.Column("who", SafeText, nullable=False),
    sa.Column("what", SafeText, nullable=False),
    sa.Column("patient", SafeText, nullable=False, index=True),
    sa.Column("detail", SafeText, nullable=False),
)

# Only the SHA-256 of a key, a random secret of 256 bits, is stored; the same goes for cookies of sessions.
keys = sa.Table(
    "keys",
    metadata,
    sa.Column("id", BigIntId, primary_key=True),
    sa.Column("name", SafeText, nullable=False),
    sa.Column("digest", sa.Text, nullable=False, unique=True),
    sa.Column("scopes", sa.Text, nullable=False, comment="separated by blanks"),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("patients", sa.Text, comment="JSON: for whom it sends; NULL = any patient"),
    sa.Column("devices", sa.Text, nullable=False, server_default="[]", comment="JSON: as which devices it sends"),
    sa.Column("expires", sa.Double, comment="NULL = never"),
)

sessions = sa.Table(
    "sessions",
    metadata,
    sa.Column("digest", sa.Text, primary_key=True),
    sa.Column("key_id", BigIntId, sa.ForeignKey("keys.id", ondelete="CASCADE"), nullable=False),
    sa.Column("expires", sa.Double, nullable=False),
)

deliveries = sa.Table(
    "deliveries",
    metadata,
    sa.Column("key", sa.Text, primary_key=True),
    sa.Column("message", sa.Text, nullable=False),
    sa.Column("target", sa.Text, nullable=False),
    sa.Column("patient", sa.Text, nullable=False),
    sa.Column("payload", SafeText, nullable=False, comment="JSON"),
    sa.Column("created", sa.Double, nullable=False),
    sa.Column("attempts", sa.Integer, nullable=False),
    sa.Column("due", sa.Double, nullable=False),
    sa.Column("high", sa.Boolean, nullable=False),
    sa.Column("state", sa.Text, nullable=False),
    sa.Column("error", SafeText, nullable=False),
    sa.Column("receipt", SafeText, nullable=False),
    sa.Column("ended", sa.Double, comment="when it was taken or given up"),
    sa.Index(None, "state", "target", "high", "due"),
    sa.Index(None, "patient", "ended"),
)

# Of each partition of Kafka that is read, the offset of the record that comes next.
offsets = sa.Table(
    "offsets",
    metadata,
    sa.Column("topic", sa.Text, primary_key=True),
    sa.Column("partition", sa.Integer, primary_key=True, autoincrement=False),
    sa.Column("next", sa.BigInteger, nullable=False),
)

# Updated with every write, because to sum up millions of chunks takes minutes.
sizes = sa.Table(
    "sizes",
    metadata,
    sa.Column("name", sa.Text, primary_key=True),
    sa.Column("bytes", sa.BigInteger, nullable=False),
)
