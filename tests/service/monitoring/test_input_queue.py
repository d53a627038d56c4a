"""Inputs come out of the queue in the order of their patient, and nobody's busy sender holds up another patient."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.errors import StorageError
from ectopy.monitor import Tick
from ectopy.service.monitoring.input_queue import InputQueue, QueuedInput

INPUTS = st.lists(st.tuples(st.sampled_from(["anna", "bert", "cleo"]), st.integers(0, 100_000)), max_size=30)


@given(INPUTS)
def test_every_round_serves_each_patient_and_all_inputs_come_once_in_order(inputs: list[tuple[str, int]]):
    queue = InputQueue(2**30)
    waiting: dict[str, list[QueuedInput]] = {}
    for patient, size in inputs:
        queued = QueuedInput(Tick(0.0), size)
        queue.submit(patient, queued, 3)
        waiting.setdefault(patient, []).append(queued)
    served: dict[str, list[QueuedInput]] = {}
    while len(queue):
        assert queue.arrived.is_set()
        shares = queue.take_shares()
        assert shares.keys() == {patient for patient in waiting if len(served.get(patient, ())) < len(waiting[patient])}
        for patient, share in shares.items():
            # The last input of a share may be large; those before it are not.
            assert sum(queued.size for queued in share[:-1]) < 2**15
            served.setdefault(patient, []).extend(share)
    assert not queue.take_shares()
    assert not queue.arrived.is_set()
    assert {patient: list(map(id, entries)) for patient, entries in served.items()} == {
        patient: list(map(id, entries)) for patient, entries in waiting.items()
    }
    assert [queued.size for _, queued in queue.take_unpreviewed()] == [size for _, size in inputs]
    assert queue.take_unpreviewed() == []


def test_without_room_only_more_than_an_equal_share_is_refused():
    queue = InputQueue(1000)
    queue.submit("anna", QueuedInput(Tick(0.0), 900), 2)
    with pytest.raises(StorageError, match="send again later"):
        queue.submit("anna", QueuedInput(Tick(0.0), 200), 2)
    queue.submit("bert", QueuedInput(Tick(0.0), 500), 2)
    with pytest.raises(StorageError, match="send again later"):
        queue.submit("bert", QueuedInput(Tick(0.0), 1), 2)
    queue.take_shares()
    queue.submit("anna", QueuedInput(Tick(0.0), 200), 2)


def test_a_closed_queue_takes_commands_and_no_inputs_of_senders():
    queue = InputQueue(1000)
    queue.close()
    with pytest.raises(StorageError, match="stopped"):
        queue.submit("anna", QueuedInput(Tick(0.0)), 1)
    queue.add_command("anna", QueuedInput(Tick(0.0), command=7))
    assert [queued.command for queued in queue.take_shares()["anna"]] == [7]


def test_waiting_inputs_can_be_changed():
    queue = InputQueue(1000)
    queue.submit("anna", QueuedInput(Tick(0.0)), 1)
    queue.change_inputs(lambda input: Tick(5.0))
    assert queue.take_shares()["anna"][0].input == Tick(5.0)
