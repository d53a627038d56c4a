"""The commands for more than one machine: archives of recordings on Spark."""

from __future__ import annotations

from typing import Annotated

import typer

from ectopy.cli.options import Json, Overwrite
from ectopy.cli.output_files import check_outputs

cluster_app = typer.Typer(help="Past one machine, on Spark.", no_args_is_help=True)

Master = Annotated[
    str,
    typer.Option(
        metavar="URL", help="Spark's master: spark://HOST:7077, k8s://..., yarn; local[N] = N cores of this machine."
    ),
]


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
    bundle: Annotated[
        str, typer.Option("--detector", metavar="FILE", help="A file made by 'ectopy train'.")
    ] = "ambulatory",
    json: Json = None,
    overwrite: Overwrite = False,
) -> None:
    """Judge the recordings of an archive, one task for each, and write Parquet tables of what is found."""
    from ectopy.cli.output import terminal
    from ectopy.cli.output.archive import archive_progress, summary_figures, summary_table
    from ectopy.cluster.archive import prepare, tolerant_master
    from ectopy.cluster.session import start_session

    check_outputs([json], [bundle, *recordings], overwrite)
    archive = prepare(recordings, output, detector=bundle, reports=reports)
    with start_session(tolerant_master(master), name="ectopy cluster detect") as spark, archive_progress() as progress:
        summary = archive.analyse(spark, progress)
    terminal.emit(json, summary_figures(summary))
    screen = terminal.screen(json)
    screen.print(summary_table(summary))
    screen.print(f"Wrote the tables in {output}.")
