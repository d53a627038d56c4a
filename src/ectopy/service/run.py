"""The service in a terminal: where it is, and how to get in."""

from __future__ import annotations

import logging
import sys
from collections.abc import Callable

from fastapi import FastAPI
from rich.console import Console

from ectopy.disclaimers import STATEMENT
from ectopy.errors import SettingError, StorageError
from ectopy.service.access import Scope
from ectopy.service.access.audit import account
from ectopy.service.api.app import create_app
from ectopy.service.interpreter import keep_files_private, tune_for_threads
from ectopy.service.json_logs import log_as_json
from ectopy.service.monitoring.engine import MonitoringEngine
from ectopy.service.monitoring.patient_engine import EngineFactory
from ectopy.service.server import Server
from ectopy.service.settings import Settings


def serve(settings: Settings, new_key: bool = False, make_engine: EngineFactory = MonitoringEngine) -> None:
    """Serve until interrupted; a first key is shown once, and another one with `new_key`.

    Raises
    ------
    SettingError
        If a setting is invalid, or the address is taken.
    StorageError
        If the database cannot be opened, or another service uses it, or has taken it over.
    """
    keep_files_private()
    app = create_app(settings, make_engine)

    def ready(server: Server) -> None:
        if new_key and app.state.first_key is None:
            name = "made by 'ectopy serve --new-key'"
            key, app.state.first_key = app.state.authenticator.new_key(name, frozenset({Scope.ADMINISTER}))
            app.state.audit.did(account(), "made key", detail=f"{key.id} {key.name}: {Scope.ADMINISTER}")

    run(app, settings, ready)


def run(app: FastAPI, settings: Settings, ready: Callable[[Server], None], or_any_port: bool = False) -> None:
    """Serve until interrupted, and print the address and the key; errors are those of `serve`.

    With `or_any_port`, any free port will do where that of the settings is taken.
    """
    # In a terminal, requests would hide the key.
    log_as_json(logging.WARNING if sys.stderr.isatty() else logging.INFO)
    tune_for_threads()
    terminal = Console(highlight=False, markup=False, soft_wrap=True)

    def say(server: Server) -> None:
        ready(server)
        address, secret = server.address, app.state.first_key
        terminal.print(f"Ectopy answers at {address}")
        if secret is not None:
            terminal.print(f"Key, shown this once: {secret}")
            terminal.print(f"Sign in: {address}/#key={secret}")
            terminal.print(f"Send:    ectopy replay simulated --url {address} --key {secret}")
        if not settings.loopback and not settings.tls:
            terminal.print(f"Warning: others reach {settings.host}, and nothing is encrypted; give the files of TLS.")
        terminal.print(STATEMENT)

    server = Server(app, settings, say, or_any_port)
    try:
        server.run()
    except SystemExit as error:
        raise SettingError(f"the service cannot listen at {server.address}; choose another port.") from error
    if app.state.lease.takeover:
        raise StorageError(app.state.lease.takeover)
