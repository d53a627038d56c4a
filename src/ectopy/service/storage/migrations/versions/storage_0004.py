"""Evidence beside the log of alarms, checkpoints of that log, the service's clock over time, and a lease."""

from __future__ import annotations

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_AT_A_TIME = 200


def upgrade() -> None:
    """Make their tables, and move the evidence out of the events."""
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
    op.create_index(op.f("ix_alarms_patient_id_event"), "alarms", ["patient_id", "event"], unique=False)
    _move_evidence()


def _patient() -> sa.Column[int]:
    return sa.Column("patient_id", _COUNTER, autoincrement=False, nullable=False)


def _move_evidence() -> None:
    connection, after = op.get_bind(), 0
    names = ("id", "patient_id", "number", "time", "kind", "body")
    events = sa.table("events", *(sa.column(name) for name in names))
    evidence = sa.table("evidence", *(sa.column(name) for name in ("patient_id", "event", "time", "body")))
    kept = sa.select(events).where(events.c.kind == "alarm").order_by(events.c.id).limit(_AT_A_TIME)
    while rows := connection.execute(kept.where(events.c.id > after)).all():
        for row in rows:
            body = msgspec.msgpack.decode(row.body)
            if found := body.pop("evidence", None):
                values = {"patient_id": row.patient_id, "event": row.number, "time": row.time}
                connection.execute(sa.insert(evidence).values(body=msgspec.msgpack.encode(found), **values))
                changed = sa.update(events).where(events.c.id == row.id)
                connection.execute(changed.values(body=msgspec.msgpack.encode(body)))
        after = rows[-1].id
