"""Settings of alarms that would silence something for ever are refused."""

from __future__ import annotations

import pytest

from ectopy.errors import SettingError
from ectopy.monitor.alarm_settings import AlarmSettings, PriorityRules


@pytest.mark.parametrize("seconds", [0.0, -1.0, float("inf"), float("nan")])
def test_settings_under_which_something_would_be_silenced_for_ever_are_refused(seconds):
    for setting in (
        {"audio_pause_s": seconds},
        {"high": PriorityRules(True, seconds, 60.0)},
        {"low": PriorityRules(False, 60.0, seconds)},
    ):
        with pytest.raises(SettingError, match="finite number of seconds above 0"):
            AlarmSettings(**setting)
    with pytest.raises(SettingError, match="fewer than 0"):
        AlarmSettings(most_escalations=-1)
