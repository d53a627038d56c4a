"""States are copied with changed fields as `dataclasses.replace` copies them."""

from __future__ import annotations

import dataclasses

import pytest

from ectopy.monitor.alarm_settings import AlarmSettings
from ectopy.monitor.rhythm_state import RhythmState
from ectopy.signal.state_replace import builder, replace


@dataclasses.dataclass(frozen=True, slots=True)
class OneField:
    times_s: tuple[float, ...]


def test_a_state_is_copied_with_its_changed_fields():
    state = RhythmState(at_s=3.0, detected_s=(1.0, 2.0))
    changes = {"at_s": 4.0, "alternating": 3}
    assert repr(replace(state, **changes)) == repr(dataclasses.replace(state, **changes))
    assert state.at_s == 3.0
    assert replace(state).run is state.run


def test_a_state_of_one_field_is_copied_whole():
    current = OneField((1.0, 2.0))
    assert replace(current).times_s is current.times_s
    assert replace(current, times_s=()).times_s == ()


def test_a_field_that_is_not_there_cannot_be_changed():
    with pytest.raises(TypeError, match="unheard_s"):
        replace(RhythmState(), unheard_s=1.0)  # type: ignore[call-arg]


def test_what_checks_its_fields_is_not_copied_without_a_check():
    with pytest.raises(TypeError, match="AlarmSettings"):
        replace(AlarmSettings(), most_escalations=-1)


def test_a_state_is_built_from_its_fields_in_their_order():
    built = builder(OneField)((1.0, 2.0))
    assert built == OneField((1.0, 2.0))
    assert type(built) is OneField
    with pytest.raises(dataclasses.FrozenInstanceError):
        built.times_s = ()  # type: ignore[misc]
    with pytest.raises(TypeError):
        builder(OneField)()
