"""Samples to beats: filters, where the heartbeats are."""

from ectopy.signal.filters import ANALYSIS_RATE_HZ, Filtered, FilterSettings, filter_signal
from ectopy.signal.heartbeats import find_heartbeats

__all__ = ["ANALYSIS_RATE_HZ", "FilterSettings", "Filtered", "filter_signal", "find_heartbeats"]
