"""Figures for Prometheus; no patient is named in them."""

from __future__ import annotations

import collections
from collections.abc import Iterator

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric

from ectopy.monitor.conditions import Priority
from ectopy.monitor.status import PatientState
from ectopy.service.monitoring.ward import Ward

_BUCKETS_S = (0.005, 0.02, 0.05, 0.1, 0.3, 1.0, 3.0, 10.0)


class Metrics:
    """Count what the service does, and read the figures of the ward when they are collected."""

    def __init__(self, ward: Ward) -> None:
        self._ward = ward
        self._registry = CollectorRegistry()
        self.requests = Counter(
            "ectopy_requests", "Requests answered.", ("method", "route", "status"), registry=self._registry
        )
        self.seconds = Histogram(
            "ectopy_request_seconds", "Time to answer.", buckets=_BUCKETS_S, registry=self._registry
        )
        self.chunks = Counter("ectopy_chunks", "Chunks that devices sent.", ("outcome",), registry=self._registry)
        self.devices = Gauge("ectopy_device_streams", "Devices connected over WebSocket.", registry=self._registry)
        self._registry.register(self)

    def text(self) -> bytes:
        """Return all figures in the text format of Prometheus."""
        return generate_latest(self._registry)

    def collect(self) -> Iterator[Metric]:
        """Yield the figures of the ward now."""
        ward = self._ward
        words = collections.Counter(ward.status(patient).state for patient in ward.patients())
        patients = GaugeMetricFamily("ectopy_patients", "Patients by state.", labels=["state"])
        for word in PatientState:
            if word is not PatientState.DISCHARGED:
                patients.add_metric([word.value], words[word])
        yield patients
        active = collections.Counter(stored.alarm.priority for stored in ward.active_alarms())
        alarms = GaugeMetricFamily("ectopy_active_alarms", "Alarms active or latched.", labels=["priority"])
        for priority in Priority:
            alarms.add_metric([priority.word], active[priority])
        yield alarms
        yield GaugeMetricFamily("ectopy_viewers", "Live viewers.", value=ward.feed.viewers)
        yield GaugeMetricFamily("ectopy_watching", "Whether patients are watched.", value=float(ward.watching))

    def describe(self) -> list[Metric]:
        """Return no metrics: they are known only once they are collected."""
        return []
