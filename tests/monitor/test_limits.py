from __future__ import annotations

from dataclasses import fields, replace

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ectopy.analysis.rhythm_rules import WARD
from ectopy.errors import SettingError
from ectopy.monitor.limits import LIMITS, PROFILES, Limits

ADULTS = ("ward", "ambulatory", "exercise")
YOUNG = {"child": (1, 18), "infant": (0, 1)}
ages = st.one_of(st.none(), st.floats(18, 110))
resting_rates = st.one_of(st.none(), st.floats(30, 110))


def test_the_published_definitions_are_the_default():
    limits = Limits()
    assert (limits.asystole_s, limits.pause_s) == (4, 3)
    assert (limits.extreme_low_bpm, limits.extreme_low_beats) == (40, 5)
    assert (limits.extreme_high_bpm, limits.extreme_high_beats) == (140, 17)
    assert (limits.vt_bpm, limits.vt_beats) == (100, 5)
    assert limits.recovery_bpm == 12
    assert limits == Limits.of("ward")


def test_the_ward_has_the_limits_of_the_rule_book():
    assert Limits().rhythm == WARD
    assert Limits.of("infant").rhythm == replace(WARD, profile="infant", low_bpm=93, high_bpm=181, pause_s=2)


def test_every_limit_declares_what_it_can_be_set_to():
    assert LIMITS.keys() == {field.name for field in fields(Limits)} - {"profile"}
    defaults = {name: getattr(Limits(), name) for name in LIMITS}
    assert {name for name, limit in LIMITS.items() if limit.whole} == {
        name for name, value in defaults.items() if isinstance(value, int)
    }
    for name, limit in LIMITS.items():
        assert Limits().changed({name: defaults[name] or 50.0})
        for wrong in (-1, 1000 * limit.most):
            with pytest.raises(SettingError, match=f"{name} must be {limit.least:g} to {limit.most:g}, not {wrong:g}"):
                Limits().changed({name: wrong})
            with pytest.raises(SettingError):
                replace(Limits(), **{name: wrong})


@given(st.sampled_from(ADULTS), ages, resting_rates)
def test_every_adult_gets_limits_in_their_order(profile: str, age: float | None, resting_bpm: float | None):
    limits = Limits.of(profile, age, resting_bpm)
    assert (limits.profile, limits.age, limits.resting_bpm) == (profile, age, resting_bpm)
    assert limits.extreme_low_bpm <= limits.low_bpm < 60 < 100 < limits.high_bpm <= limits.extreme_high_bpm


@given(st.data(), st.sampled_from(sorted(YOUNG)))
def test_every_child_gets_limits_in_their_order(data: st.DataObject, profile: str):
    limits = Limits.of(profile, data.draw(st.one_of(st.none(), st.floats(*YOUNG[profile]))))
    assert 40 <= limits.extreme_low_bpm <= min(limits.low_bpm, 60)
    assert limits.low_bpm < limits.high_bpm < limits.extreme_high_bpm
    assert limits.vt_bpm == 120


@given(st.floats(0, 18), st.floats(0, 18))
def test_limits_of_rates_fall_as_a_child_grows(one: float, other: float):
    younger, older = (Limits.of("infant" if age <= 1 else "child", age) for age in sorted((one, other)))
    assert older.low_bpm <= younger.low_bpm
    assert older.high_bpm <= younger.high_bpm
    assert older.extreme_low_bpm <= younger.extreme_low_bpm
    assert older.extreme_high_bpm <= younger.extreme_high_bpm


@pytest.mark.parametrize(
    ("age", "low_bpm", "high_bpm"), [(0, 107, 181), (0.5, 104, 175), (2.5, 76, 142), (17, 43, 130)]
)
def test_limits_of_children_are_the_published_centiles(age: float, low_bpm: float, high_bpm: float):
    limits = Limits.of("infant" if age <= 1 else "child", age)
    assert (limits.low_bpm, limits.high_bpm) == (low_bpm, high_bpm)


def test_an_infants_heart_stands_still_sooner_than_an_adults():
    infant = Limits.of("infant")
    assert (infant.asystole_s, infant.pause_s, infant.extreme_high_bpm, infant.extreme_low_bpm) == (3, 2, 220, 60)
    assert (Limits.of("child").asystole_s, Limits.of("child").extreme_high_bpm) == (4, 180)


@pytest.mark.parametrize(
    ("profile", "age", "message"),
    [
        ("infant", 2, "age must be 0 to 1 in the profile infant, not 2."),
        ("child", 0.5, "age must be 1 to 18 in the profile child, not 0.5."),
        ("ward", 17, "age must be 18 to 110 in the profile ward, not 17."),
    ],
)
def test_an_age_must_fit_the_profile(profile: str, age: float, message: str):
    with pytest.raises(SettingError) as refusal:
        Limits.of(profile, age)
    assert str(refusal.value) == message


@pytest.mark.parametrize(("age", "maximum_bpm"), [(20, 194), (40, 180), (60, 166)])
def test_maximum_rate_follows_age(age: float, maximum_bpm: float):
    limits = Limits.of("exercise", age, 60)
    assert limits.maximum_bpm == pytest.approx(maximum_bpm)
    assert limits.extreme_high_bpm == maximum_bpm + 20
    assert limits.high_bpm == round(60 + 0.95 * (maximum_bpm - 60))


@given(ages, resting_rates, st.floats(0, 1))
def test_heart_rate_reserve_lies_between_rest_and_maximum(age: float | None, resting_bpm: float | None, share: float):
    limits = Limits.of("exercise", age, resting_bpm)
    assert limits.at_reserve(0) == pytest.approx(70 if resting_bpm is None else resting_bpm)
    assert limits.at_reserve(1) == pytest.approx(limits.maximum_bpm)
    assert limits.at_reserve(0) - 1e-9 <= limits.at_reserve(share) <= limits.maximum_bpm + 1e-9


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"profile": "night"}, "profile must be one of ward, ambulatory, exercise, child, infant, not 'night'."),
        ({"asystole_s": 2.9}, "asystole_s must be 3 to 10, not 2.9."),
        ({"asystole_s": 10.1}, "asystole_s must be 3 to 10, not 10.1."),
        ({"high_bpm": float("nan")}, "high_bpm must be 60 to 320, not nan."),
        ({"vt_beats": 4.5}, "vt_beats must be a whole number, not 4.5."),
        ({"age": 111}, "age must be 0 to 110, not 111."),
        ({"high_bpm": 141}, "high_bpm must be at most extreme_high_bpm, 140, not 141."),
        ({"low_bpm": 39}, "extreme_low_bpm must be at most low_bpm, 39, not 40."),
        ({"low_bpm": 90, "high_bpm": 90}, "low_bpm must be below high_bpm, 90."),
        ({"pause_s": 4.1}, "pause_s must be at most asystole_s, 4, not 4.1."),
        ({"abnormal_k": 21}, "abnormal_k must be at most abnormal_n, 20, not 21."),
    ],
)
def test_impossible_limits_are_refused_in_one_sentence(changed: dict[str, float], message: str):
    with pytest.raises(SettingError) as refusal:
        replace(Limits(), **changed)
    assert str(refusal.value) == message


@given(st.sampled_from(PROFILES), ages, resting_rates)
def test_limits_can_be_written_and_read(profile: str, age: float | None, resting_bpm: float | None):
    limits = Limits.of(profile, age if profile in ADULTS else None, resting_bpm)
    assert msgspec.json.decode(msgspec.json.encode(limits), type=Limits) == limits
    assert msgspec.msgpack.decode(msgspec.msgpack.encode(limits), type=Limits) == limits


def test_impossible_limits_are_refused_when_read():
    with pytest.raises(msgspec.ValidationError, match="asystole_s must be 3 to 10"):
        msgspec.json.decode(b'{"asystole_s": 60}', type=Limits)


def test_whole_numbers_stay_whole_whatever_they_came_as():
    whole = {field.name for field in fields(Limits) if field.type == "int"}
    limits = Limits()
    again = limits.changed({name: float(getattr(limits, name)) for name in whole})
    assert again == limits
    assert all(type(getattr(again, name)) is int for name in whole)
