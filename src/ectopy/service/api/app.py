"""The application: everything put together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import cache, partial

from fastapi import APIRouter, FastAPI
from starlette.routing import BaseRoute

from ectopy import __version__
from ectopy.analysis.shipped_detector import ambulatory_digest, load_ambulatory
from ectopy.disclaimers import STATEMENT
from ectopy.errors import StorageError
from ectopy.monitor import Chunk, Monitor
from ectopy.service.access import Authenticator
from ectopy.service.access.audit import SENDING_INTERVAL_S, Audit
from ectopy.service.api import error_responses
from ectopy.service.api.middleware.access_control import AuthenticationMiddleware, RateLimit
from ectopy.service.api.middleware.body_limit import BodyLimitMiddleware
from ectopy.service.api.middleware.request_log import RequestLogMiddleware
from ectopy.service.api.middleware.security_headers import SecurityHeadersMiddleware
from ectopy.service.api.prometheus_metrics import Metrics
from ectopy.service.api.readiness import Readiness
from ectopy.service.api.routes import (
    about_routes,
    alarm_routes,
    builtin_recording_routes,
    correction_routes,
    device_routes,
    event_routes,
    fhir_routes,
    health_routes,
    ingest_routes,
    key_routes,
    live_routes,
    patient_routes,
    recording_routes,
    replay_routes,
    session_routes,
    waveform_routes,
)
from ectopy.service.api.routes import audit_routes as audit
from ectopy.service.api.static_pages import Pages
from ectopy.service.interpreter import steady
from ectopy.service.live.feed import Feed
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.mqtt import Bridge
from ectopy.service.monitoring.patient_engine import EngineFactory
from ectopy.service.monitoring.replays import Replays
from ectopy.service.monitoring.ward import Ward
from ectopy.service.monitoring.write_buffer import Receipt
from ectopy.service.notify import load_targets
from ectopy.service.recordings import Library
from ectopy.service.settings import Settings, make_home
from ectopy.service.storage import Store

_ROUTERS = (
    health_routes,
    about_routes,
    session_routes,
    key_routes,
    audit,
    patient_routes,
    device_routes,
    waveform_routes,
    alarm_routes,
    live_routes,
    event_routes,
    fhir_routes,
    builtin_recording_routes,
    replay_routes,
)
_SMALL_BODY_BYTES = 2**16
"""Largest body, except of samples and recordings: JSON takes many times its size in memory."""
_CORRECTION_BODY_BYTES = 2**18
"""Largest body of a correction: ten thousand positions."""
_RETENTION_EVERY_S = 600.0
_DAY_S = 86_400.0
_BROKER = "the MQTT broker"

_log = logging.getLogger(__name__)


def create_app(settings: Settings, make_engine: EngineFactory = MonitoringEngine) -> FastAPI:
    """The service; it begins to watch when it is started, with an engine of its own, and stops when it is stopped.

    Raises
    ------
    SettingError
        If a setting is not what it may be.
    StorageError
        If the database cannot be opened, or another service uses it.
    """
    make_home(settings.home)
    detector, bundle = load_ambulatory(), ambulatory_digest()
    targets = () if settings.targets is None else load_targets(settings.targets)
    bridge = None if settings.mqtt is None else Bridge(settings.mqtt)
    store = Store.open(settings.store_url)
    try:
        lease = store.lease()
    except BaseException:
        store.close()
        raise
    authenticator = Authenticator(store.keys)
    most_bytes = round(settings.recordings_gb * 1e9)
    library = Library(settings.home / "recordings", settings.upload_bytes, most_bytes=most_bytes)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        monitor = Monitor.of(detector, settings.learning_s)
        ward = Ward(store, monitor, bundle, targets, steady=steady, make_engine=make_engine)
        app.state.ward, app.state.metrics = ward, Metrics(ward)
        app.state.readiness = Readiness(ward, settings.home)
        app.state.first_key = authenticator.first_key()
        app.state.recording_feed = Feed()
        app.state.library, app.state.replays = library, Replays()
        await ward.begin()
        app.state.audit.start()
        library.start()
        tasks = [asyncio.create_task(_apply_retention(store, library, settings))]
        if bridge is not None:
            tasks.append(asyncio.create_task(bridge.run(partial(_send_from_broker, ward, app.state.audit), ward.clock)))
        try:
            yield
        finally:
            app.state.recording_feed.close()
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(app.state.replays.close)
            await asyncio.to_thread(library.stop)
            await ward.end()
            await asyncio.to_thread(app.state.audit.close)
            await asyncio.to_thread(lease.close)
            store.close()

    app = FastAPI(
        title="Ectopy",
        version=__version__,
        description=f"Live ECG in, alarms out. {STATEMENT}",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        routes=_routes(settings.request_bytes, settings.upload_bytes),
    )
    app.state.lease = lease
    app.state.settings, app.state.authenticator = settings, authenticator
    app.state.audit = Audit(store, settings.home / "audit.journal")
    error_responses.install(app)
    app.state.failures = failures = RateLimit(settings.failures_per_minute)
    app.add_middleware(
        AuthenticationMiddleware,
        authenticator=authenticator,
        per_minute=settings.requests_per_minute,
        failures=failures,
    )
    app.add_middleware(BodyLimitMiddleware, max_body_size=min(_SMALL_BODY_BYTES, settings.request_bytes))
    app.add_middleware(SecurityHeadersMiddleware)
    app.add_middleware(RequestLogMiddleware)
    app.router.default = Pages()
    return app


@cache
def _routes(request_bytes: int, upload_bytes: int) -> list[BaseRoute]:
    """All routes of the API; they hold no state, and all applications of a process share them."""
    api = APIRouter(responses=error_responses.PROBLEMS)
    for module in _ROUTERS:
        api.include_router(module.router)
    api.include_router(ingest_routes.router, max_body_size=request_bytes)
    api.include_router(correction_routes.router, max_body_size=min(_CORRECTION_BODY_BYTES, request_bytes))
    api.include_router(recording_routes.router, max_body_size=upload_bytes)
    return api.routes


async def _send_from_broker(ward: Ward, audit: Audit, patient: str, chunk: Chunk) -> Receipt:
    """Hand in samples that came through the broker, which decides who may send them."""
    receipt = await ward.send(patient, chunk, _BROKER)
    audit.saw(_BROKER, "sent samples", patient, SENDING_INTERVAL_S)
    return receipt


async def _apply_retention(store: Store, library: Library, settings: Settings) -> None:
    """Delete what is older, or more, than the settings keep; every ten minutes."""
    most = None if settings.keep_gb is None else round(settings.keep_gb * 1e9)
    offset_s = time.time() - steady()
    while True:
        # A clock that is set forwards makes nothing old.
        now = min(time.time(), steady() + offset_s)
        older_than = None if settings.keep_days is None else now - settings.keep_days * _DAY_S
        try:
            await asyncio.to_thread(store.retention.apply, older_than, most)
            await asyncio.to_thread(library.apply_retention, older_than, most)
        except StorageError as error:
            _log.warning("What is too old could not be deleted: %s", error)
        await asyncio.sleep(_RETENTION_EVERY_S)
