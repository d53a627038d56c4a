"""The commands of the service: serve, and play a recording to it."""

from __future__ import annotations

from functools import partial
from pathlib import Path
from typing import Annotated

import typer

from ectopy.cli.options import KafkaConfig, Partial, Rate, Unit, refuse_options


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
    cluster: Annotated[
        str | None,
        typer.Option(
            metavar="HOST:PORT", help="Kafka's brokers, if 'ectopy cluster watch' watches.", show_default=False
        ),
    ] = None,
    cluster_input: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Its samples; ecg if not given.", show_default=False)
    ] = None,
    cluster_output: Annotated[
        str | None, typer.Option(metavar="TOPIC", help="Its events; ecg-events if not given.", show_default=False)
    ] = None,
    kafka_config: KafkaConfig = None,
    new_key: Annotated[bool, typer.Option("--new-key", help="Make another key that allows everything.")] = False,
) -> None:
    """Watch patients whose devices send, and show them in a browser."""
    from ectopy.service.run import serve as serve_until_interrupted
    from ectopy.service.settings import load_settings

    settings = load_settings(
        port=port,
        host=host,
        home=home,
        store=store,
        targets=targets,
        tls_certificate=tls_certificate,
        tls_key=tls_key,
        cluster=cluster,
        cluster_input=cluster_input,
        cluster_output=cluster_output,
        kafka_config=kafka_config,
    )
    if settings.cluster is None:
        of_cluster = {
            "--cluster-input": cluster_input is not None,
            "--cluster-output": cluster_output is not None,
            "--kafka-config": kafka_config is not None,
        }
        refuse_options(
            of_cluster, "is for patients whom 'ectopy cluster watch' watches: name its brokers with --cluster"
        )
        serve_until_interrupted(settings, new_key)
        return
    from ectopy.cluster.brokers import check_access, load_brokers
    from ectopy.cluster.cluster_engine import ClusterEngine
    from ectopy.cluster.topics import Topics

    topics = Topics(settings.cluster_input, settings.cluster_output)
    brokers = load_brokers(settings.cluster, settings.kafka_config)
    check_access(brokers)
    serve_until_interrupted(settings, new_key, partial(ClusterEngine, brokers, topics))


def replay(
    recording: Annotated[
        str, typer.Argument(help="A recording, as for 'inspect'; or 'simulated', or one such as 'mitdb/208'.")
    ],
    patient: Annotated[str, typer.Option(help="As whose it is sent.")] = "replay",
    url: Annotated[str, typer.Option(help="Address of the server.")] = "http://127.0.0.1:8765",
    key: Annotated[str, typer.Option(envvar="ECTOPY_KEY", help="A key that allows to send.", show_default=False)] = "",
    speed: Annotated[float, typer.Option(help="Times real time.")] = 1.0,
    rate: Rate = None,
    unit: Unit = None,
    partial: Partial = False,
) -> None:
    """Send a recording to a server as if it were live."""
    from ectopy.cli.output import terminal
    from ectopy.client import Client
    from ectopy.client.play_recording import play
    from ectopy.datasets.builtin_recordings import is_builtin, load_builtin
    from ectopy.errors import SettingError
    from ectopy.formats import read

    if not key:
        raise SettingError("give a key that allows to send: --key, or ECTOPY_KEY in the environment.")
    if is_builtin(recording):
        of_files = {"--rate": rate is not None, "--unit": unit is not None, "--partial": partial}
        refuse_options(of_files, f"is for files, and {recording} is not one: leave it out")
        signal = load_builtin(recording)
    else:
        signal = read(recording, sampling_rate_hz=rate, unit=unit, partial=partial)
    terminal.warn(signal.notes)
    with Client(url, key) as client, terminal.progress("Sending") as progress:
        samples = play(client, signal, patient, speed, progress)
    terminal.screen(None).print(f"{samples:,} samples of {patient} are stored.")
