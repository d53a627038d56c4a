"""The first tables."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make them."""
    op.create_table(
        "audit",
        sa.Column("id", _COUNTER, nullable=False),
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
        sa.Column("ended", sa.Double(), nullable=True, comment="when it was taken or given up"),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_patient_ended"), "deliveries", ["patient", "ended"], unique=False)
    op.create_index(
        op.f("ix_deliveries_state_target_high_due"), "deliveries", ["state", "target", "high", "due"], unique=False
    )
    op.create_table(
        "patients",
        sa.Column("id", _COUNTER, nullable=False),
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
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
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
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
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
    op.create_table(
        "beats",
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("at_s", sa.Double(), nullable=False),
        sa.Column("beat_s", sa.Double(), nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("interval_s", sa.Double(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.Column("hint", sa.Text(), nullable=False),
        sa.Column("score", sa.Double(), nullable=True),
        sa.Column("p_value", sa.Double(), nullable=True),
        sa.Column("threshold", sa.Double(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_beats_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_beats")),
        sqlite_with_rowid=False,
    )
    op.create_index(op.f("ix_beats_patient_id_time"), "beats", ["patient_id", "time"], unique=False)
    op.create_table(
        "devices",
        sa.Column("device", sa.Text(), nullable=False),
        sa.Column("patient_id", _COUNTER, nullable=True),
        sa.Column("since", sa.Double(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_devices_patient_id")),
        sa.PrimaryKeyConstraint("device", name=op.f("pk_devices")),
    )
    op.create_table(
        "orders",
        sa.Column("id", _COUNTER, nullable=False),
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="msgpack"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_orders_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_orders")),
    )
    op.create_table(
        "events",
        sa.Column("id", _COUNTER, nullable=False),
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("time", sa.Double(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="msgpack"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_events_patient_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_events")),
        sa.UniqueConstraint("patient_id", "number", name=op.f("uq_events_patient_id_number")),
    )
    op.create_table(
        "journal",
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False, comment="msgpack"),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_journal_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_journal")),
    )
    op.create_table(
        "snapshots",
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), nullable=False, comment="last input in it"),
        sa.Column("event", sa.BigInteger(), nullable=False, comment="last event before it"),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_snapshots_patient_id")),
        sa.PrimaryKeyConstraint("patient_id", name=op.f("pk_snapshots")),
    )
    op.create_table(
        "streams",
        sa.Column("id", _COUNTER, nullable=False),
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
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
        sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("stream_id", _COUNTER, nullable=False),
        sa.Column("position", sa.BigInteger(), nullable=False),
        sa.Column("samples", sa.Integer(), nullable=False),
        sa.Column("received", sa.Double(), nullable=False),
        sa.Column("sent", sa.Double(), nullable=True),
        sa.Column(
            "signal", sa.LargeBinary(), nullable=False, comment="float32, little-endian, lead after lead per sample"
        ),
        sa.ForeignKeyConstraint(["patient_id"], ["patients.id"], name=op.f("fk_waveforms_patient_id")),
        sa.ForeignKeyConstraint(["stream_id"], ["streams.id"], name=op.f("fk_waveforms_stream_id")),
        sa.PrimaryKeyConstraint("patient_id", "number", name=op.f("pk_waveforms")),
    )
    op.create_index(op.f("ix_waveforms_stream_id_position"), "waveforms", ["stream_id", "position"], unique=False)
