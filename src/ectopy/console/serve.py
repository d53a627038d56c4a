"""The service in a terminal: where it is, and how to get in."""

from __future__ import annotations

from ectopy.console import screen
from ectopy.errors import SettingError
from ectopy.service.access import Scope
from ectopy.service.logs import log_as_json
from ectopy.service.server import Server
from ectopy.service.settings import Settings
from ectopy.service.web.app import create_app
from ectopy.statements import STATEMENTS


def run(settings: Settings, new_key: bool = False) -> None:
    """Serve until interrupted.

    Raises
    ------
    SettingError
        If a setting is not what it may be, or the address is taken.
    StorageError
        If the database cannot be opened.
    """
    log_as_json()
    app = create_app(settings)
    terminal = screen(None)

    def ready(server: Server) -> None:
        secret = app.state.first_key
        if secret is None and new_key:
            _, secret = app.state.visitors.new_key("made by 'ectopy serve --new-key'", frozenset({Scope.ADMINISTER}))
        terminal.print(f"Ectopy answers at {server.address}")
        if secret is not None:
            terminal.print(f"Key, shown this once: {secret}")
            terminal.print(f"Sign in: {server.address}/#key={secret}")
            terminal.print(f"Send:    ectopy replay simulated --url {server.address} --key {secret}")
        if not settings.loopback and not settings.tls:
            terminal.print(f"Warning: {settings.host} is reached from elsewhere, unencrypted; give the files of TLS.")
        terminal.print(" ".join(STATEMENTS))

    server = Server(app, settings, ready)
    try:
        server.run()
    except SystemExit as error:
        raise SettingError(f"the service cannot listen at {server.address}; choose another port.") from error
