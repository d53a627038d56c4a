"""The application: everything put together."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from fastapi import FastAPI

from ectopy import __version__
from ectopy.ambulatory import ambulatory_digest, load_ambulatory
from ectopy.errors import StorageError
from ectopy.monitor import Monitor
from ectopy.service import shapes
from ectopy.service.access import Visitors
from ectopy.service.audit import Audit
from ectopy.service.exchange.mqtt import Bridge
from ectopy.service.notify import load_targets
from ectopy.service.place import make_home
from ectopy.service.recordings import Library
from ectopy.service.replays import Replays
from ectopy.service.settings import Settings
from ectopy.service.storage import Store
from ectopy.service.ward import Ward
from ectopy.service.web import (
    about,
    alarms,
    audit,
    devices,
    errors,
    events,
    fhir,
    health,
    ingest,
    keys,
    live,
    named,
    patients,
    recordings,
    replays,
    session,
    signals,
)
from ectopy.service.web.door import Door
from ectopy.service.web.metrics import Metrics
from ectopy.service.web.pages import Headers, Pages
from ectopy.service.web.record import Record

_ROUTERS = (
    health,
    about,
    session,
    keys,
    audit,
    patients,
    devices,
    signals,
    alarms,
    ingest,
    live,
    events,
    fhir,
    named,
    replays,
)
_FORGET_EVERY_S = 600.0
_DAY_S = 86_400.0

_log = logging.getLogger(__name__)


def create_app(settings: Settings) -> FastAPI:
    """The service; it begins to watch when it is started, and stops when it is stopped.

    Raises
    ------
    SettingError
        If a setting is not what it may be.
    StorageError
        If the database cannot be opened.
    """
    make_home(settings.home)
    detector, bundle = load_ambulatory(), ambulatory_digest()
    targets = () if settings.targets is None else load_targets(settings.targets)
    bridge = None if settings.mqtt is None else Bridge(settings.mqtt)
    store = Store.open(settings.store_url)
    visitors = Visitors(store.access)
    library = Library(settings.home / "recordings", settings.upload_bytes)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        ward = Ward(store, Monitor.of(detector, settings.learning_s), bundle, targets)
        app.state.ward, app.state.metrics = ward, Metrics(ward)
        app.state.first_key = visitors.first_key()
        app.state.library, app.state.replays = library, Replays(ward.submit)
        await ward.begin()
        app.state.audit.start()
        library.start()
        tasks = [asyncio.create_task(_forget(store, settings))]
        if bridge is not None:
            tasks.append(asyncio.create_task(bridge.run(ward.send, ward.clock)))
        try:
            yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.to_thread(app.state.replays.close)
            await asyncio.to_thread(library.stop)
            await ward.end()
            await asyncio.to_thread(app.state.audit.close)
            store.close()

    app = FastAPI(
        title="Ectopy",
        version=__version__,
        description=f"Live ECG in, alarms out. {shapes.STATEMENT}",
        lifespan=lifespan,
        openapi_url="/api/openapi.json",
        docs_url=None,
        redoc_url=None,
        responses=errors.PROBLEMS,
        max_body_size=settings.request_bytes,
    )
    app.state.settings, app.state.visitors, app.state.audit = settings, visitors, Audit(store)
    errors.install(app)
    app.add_middleware(Door, visitors=visitors, settings=settings)
    app.add_middleware(Headers)
    app.add_middleware(Record)
    for module in _ROUTERS:
        app.include_router(module.router)
    app.include_router(recordings.router, max_body_size=settings.upload_bytes)
    app.mount("/", Pages(), name="pages")
    return app


async def _forget(store: Store, settings: Settings) -> None:
    """Keep no more than is wanted."""
    most = None if settings.keep_gb is None else round(settings.keep_gb * 1e9)
    while True:
        older_than = None if settings.keep_days is None else time.time() - settings.keep_days * _DAY_S
        try:
            await asyncio.to_thread(store.forget, older_than, most)
        except StorageError as error:
            _log.warning("What is too old could not be deleted: %s", error)
        await asyncio.sleep(_FORGET_EVERY_S)
