"""The commands past one machine."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from ectopy.cli.options import Json, KafkaConfig, Learning, Overwrite
from ectopy.cli.output_files import check_outputs

cluster_app = typer.Typer(help="Past one machine: on Spark and Kafka.", no_args_is_help=True)

Master = Annotated[
    str, typer.Option(metavar="URL", help="Of Spark: spark://HOST:7077, k8s://...; local[N] = N cores of this machine.")
]
Detector = Annotated[str, typer.Option(help="A file made by 'ectopy train'; 'ambulatory' = the shipped one.")]


@cluster_app.command()
def watch(
    brokers: Annotated[str, typer.Option(metavar="HOST:PORT", help="Kafka's brokers, separated by commas.")],
    input_topic: Annotated[
        str, typer.Option("--input", metavar="TOPIC", help="Samples; commands are in TOPIC-commands.")
    ],
    output_topic: Annotated[
        str, typer.Option("--output", metavar="TOPIC", help="Events; the patients' status is in TOPIC-status.")
    ],
    checkpoint: Annotated[
        str, typer.Option(metavar="FOLDER", help="Where the stream goes on after a restart; on a cluster a URL.")
    ],
    shards: Annotated[
        int, typer.Option(help="Groups of patients: one or two for every core, of 50 to 100 patients.")
    ] = 2,
    master: Master = "local[2]",
    detector: Detector = "ambulatory",
    learning: Learning = 300.0,
    kafka_config: KafkaConfig = None,
    jars: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Jars of Spark's Kafka connector; without, they are downloaded."),
    ] = None,
    ui: Annotated[bool, typer.Option("--ui", help="Serve Spark's own pages.")] = False,
) -> None:
    """Watch patients whose samples come through Kafka, until Ctrl-C."""
    from ectopy.cluster.brokers import load_brokers
    from ectopy.cluster.stream import StreamSettings
    from ectopy.cluster.stream import watch as watch_stream
    from ectopy.cluster.topics import Topics
    from ectopy.processes import stop_signals

    signed_in, topics = load_brokers(brokers, kafka_config), Topics(input_topic, output_topic)
    settings = StreamSettings(signed_in, topics, checkpoint, shards, detector, learning, master, jars, ui)
    with stop_signals() as stopping:
        watch_stream(settings, lambda text: typer.echo(f"ectopy: {text}", err=True), stopping)


@cluster_app.command("detect")
def cluster_detect(
    recordings: Annotated[
        list[str],
        typer.Argument(metavar="SOURCE...", help="Recordings, folders, patterns such as 'a/**/*.edf', s3://."),
    ],
    output: Annotated[
        str, typer.Option("-o", "--output", metavar="DEST", help="Folder of the tables; one begun before goes on.")
    ],
    master: Master = "local[*]",
    reports: Annotated[bool, typer.Option("--reports", help="Write a page for each recording, too.")] = False,
    detector: Detector = "ambulatory",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Judge the recordings of an archive, one task for each, and write Parquet tables of what is found."""
    from ectopy.cli.output import terminal
    from ectopy.cli.output.archive import archive_progress, summary_figures, summary_table
    from ectopy.cluster.archive import prepare, tolerant_master
    from ectopy.cluster.session import running_session
    from ectopy.formats.remote import remote_url

    tables = [] if remote_url(output) or Path(output).is_dir() else [output]
    check_outputs([*tables, json], [detector, *recordings], overwrite)
    archive = prepare(recordings, output, detector=detector, reports=reports)
    with (
        running_session(tolerant_master(master), name="ectopy cluster detect") as spark,
        archive_progress() as progress,
    ):
        summary = archive.analyse(spark, progress)
    terminal.emit(json, summary_figures(summary))
    screen = terminal.screen(json)
    screen.print(summary_table(summary))
    screen.print(f"Wrote the tables in {output}.")


@cluster_app.command()
def repartition(
    checkpoint: Annotated[str, typer.Option(metavar="FOLDER", help="Of a stream that is stopped.")],
    to: Annotated[str, typer.Option("--to", metavar="FOLDER", help="New; the stream is to go on with it.")],
    shards: Annotated[int, typer.Option(help="Groups of patients that the stream is to have.")],
    master: Master = "local[2]",
) -> None:
    """Give a stream another number of shards: patients go on where they were."""
    from ectopy.cluster.session import running_session

    with running_session(master, name="ectopy cluster repartition", place=checkpoint) as spark:
        # Not before Spark, without which the message is to name its extra, and not the one that brings pandas.
        from ectopy.cluster.repartition import repartition as write_checkpoint

        patients = write_checkpoint(spark, checkpoint, to, shards)
    typer.echo(f"{patients} patients in {shards} shards: go on with --checkpoint {to} --shards {shards}")
