"""All tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "initial"
down_revision = None

_BIG_INT_ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "audit",
        sa.Column("id", _BIG_INT_ID, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_audit")),
    )
    op.create_index(op.f("ix_audit_patient"), "audit", ["patient"], unique=False)
    op.create_table(
        "deliveries",
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("target", sa.Text(), nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("due", sa.Double(), nullable=False),
        sa.Column("high", sa.Boolean(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("receipt", sa.Text(), nullable=False),
        sa.Column("ended", sa.Double(), comment="when it was taken or given up"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_patient_ended"), "deliveries", ["patient", "ended"], unique=False)
    op.create_index(
        op.f("ix_deliveries_state_target_high_due"), "deliveries", ["state", "target", "high", "due"], unique=False
    )
    op.create_table(
        "patients",
        sa.Column("id", _BIG_INT_ID, nullable=False),
        sa.Column("patient", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("enrolled", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_patients")),
        sa.UniqueConstraint("patient", name=op.f("uq_patients_patient")),
    )
    op.create_table(
        "sizes",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("bytes", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sizes")),
    )
    op.create_table(
        "alarm_log",
        _patient(),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("alarm", sa.BigInteger(), nullable=False),
        sa.Column("change", sa.Text(), nullable=False),
        sa.Column("who", sa.Text(), nullable=False),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_alarm_log_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_alarm_log")),
        sa.UniqueConstraint("patient_id", "event", name=op.f("uq_alarm_log_patient_id_event")),
    )
    op.create_table(
        "alarms",
        _patient(),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("condition", sa.Text(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("phase", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("origin", sa.Double(), nullable=False, comment="time of stream second 0"),
        sa.Column("event", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_alarms_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_alarms")),
    )
    op.create_index(op.f("ix_alarms_phase"), "alarms", ["phase"], unique=False)
    op.create_index(op.f("ix_alarms_patient_id_event"), "alarms", ["patient_id", "event"], unique=False)
    op.create_table(
        "beats",
        _patient(),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("beat_s", sa.Double(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("interval_s", sa.Double()),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("score", sa.Double()),
        sa.Column("p_value", sa.Double()),
        sa.Column("threshold", sa.Double()),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("confidence", sa.Text(), comment="none for the most part: the patient's normal is known"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_beats_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_beats")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_beats_patient_id_time"), "beats", ["patient_id", "time"], unique=False)
    op.create_table(
        "devices",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("patient_id", _BIG_INT_ID),
        sa.Column("since", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_devices_patient_id")),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_devices")),
    )
    op.create_table(
        "commands",
        sa.Column("id", _BIG_INT_ID, nullable=False),
        _patient(),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="msgpack"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_commands_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_commands")),
    )
    op.create_table(
        "events",
        sa.Column("id", _BIG_INT_ID, nullable=False),
        _patient(),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="msgpack"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_events_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("patient_id", "number", name=op.f("uq_events_patient_id_number")),
    )
    op.create_index(op.f("ix_events_patient_id_time"), "events", ["patient_id", "time"], unique=False)
    op.create_table(
        "journal",
        _patient(),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="msgpack"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_journal_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_journal")),
    )
    op.create_table(
        "snapshots",
        _patient(),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="last input in it"),
        sa.Column("event", sa.BigInteger(), nullable=False, comment="last event before it"),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_snapshots_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "streams",
        sa.Column("id", _BIG_INT_ID, nullable=False),
        _patient(),
        sa.Column("stream", sa.Text(), nullable=False),
        sa.Column("sampling_rate_hz", sa.Double(), nullable=False),
        sa.Column("leads", sa.Text(), nullable=False, comment="JSON"),
        sa.Column("unit", sa.Text(), nullable=False),
        sa.Column("longest", sa.Integer(), nullable=False, comment="samples of its longest chunk"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_streams_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_streams")),
        sa.UniqueConstraint(
            "patient_id",
            "stream",
            "sampling_rate_hz",
            "leads",
            "unit",
            name=op.f("uq_streams_patient_id_stream_sampling_rate_hz_leads_unit"),
        ),
    )
    op.create_table(
        "waveforms",
        _patient(),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream_id", _BIG_INT_ID, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("received", sa.Double(), nullable=False),
        sa.Column("sent", sa.Double()),
        sa.Column(
            "signal", sa.LargeBinary(), nullable=False, comment="float32, little-endian, lead after lead per sample"
        ),
        sa.Column("pulses", sa.LargeBinary(), comment="msgpack; none where there are no pulse waves"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_waveforms_patient_id")),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"], name=op.f("fk_waveforms_stream_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_waveforms")),
    )
    op.create_index(op.f("ix_waveforms_stream_id_position"), "waveforms", ["stream_id", "position"], unique=False)
    op.create_table(
        "keys",
        sa.Column("id", _BIG_INT_ID, nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("scopes", sa.Text(), nullable=False, comment="separated by blanks"),
        sa.Column("created", sa.Double(), nullable=False),
        sa.Column("patients", sa.Text(), comment="JSON: for whom it sends; NULL = any patient"),
        sa.Column("devices", sa.Text(), nullable=False, server_default="[]", comment="JSON: as which devices it sends"),
        sa.Column("expires", sa.Double(), comment="NULL = never"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
    )
    op.create_table(
        "sessions",
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("key_id", _BIG_INT_ID, nullable=False),
        sa.Column("expires", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["key_id"], ["keys.id"], name=op.f("fk_sessions_key_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("digest", name=op.f("pk_sessions")),
    )
    op.create_table(
        "evidence",
        _patient(),
        sa.Column("event", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="msgpack"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_evidence_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "event", name=op.f("pk_evidence")),
    )
    op.create_index(op.f("ix_evidence_patient_id_time"), "evidence", ["patient_id", "time"], unique=False)
    op.create_table(
        "checkpoints",
        _patient(),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_checkpoints_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_checkpoints")),
    )
    op.create_table(
        "origins",
        _patient(),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("origin", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_origins_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_origins")),
    )
    op.create_table(
        "leases",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("token", sa.Text(), nullable=False),
        sa.Column("renewals", sa.BigInteger(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("since", sa.Double(), nullable=False),
        sa.Column("renewed", sa.Double(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
    )


def _patient() -> sa.Column[int]:
    return sa.Column("patient_id", _BIG_INT_ID, autoincrement=False, nullable=False)
