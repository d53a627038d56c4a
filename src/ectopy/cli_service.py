"""The commands of the service: serve, and play a recording to it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def serve(
    port: Annotated[
        int | None, typer.Option(help="8765 if not given; 0 = any that is free.", show_default=False)
    ] = None,
    host: Annotated[
        str | None, typer.Option(help="Address to listen at; by default only this machine.", show_default=False)
    ] = None,
    home: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where the data are, and ectopy.toml.", show_default=False)
    ] = None,
    store: Annotated[
        str | None,
        typer.Option(metavar="URL", help="Database: an SQLite file, or a URL of PostgreSQL.", show_default=False),
    ] = None,
    targets: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Who hears of alarms: a TOML file.", show_default=False)
    ] = None,
    tls_certificate: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM.", show_default=False)] = None,
    tls_key: Annotated[Path | None, typer.Option(metavar="FILE", help="PEM.", show_default=False)] = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make another key that allows everything.")] = False,
) -> None:
    """Watch patients whose devices send, and show them in a browser."""
    from ectopy.console.serve import run
    from ectopy.service.settings import load_settings

    settings = load_settings(
        port=port,
        host=host,
        home=home,
        store=store,
        targets=targets,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
    )
    run(settings, new_key)
