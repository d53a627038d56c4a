"""Progress and outcome of an archive, for people and JSON."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich.table import Table

from ectopy.cli.output import terminal
from ectopy.cli.output.rich_tables import pairs_table
from ectopy.cluster.archive import ArchiveProgress, ArchiveSummary
from ectopy.presentation import elapsed

_LINE_EVERY_S = 30.0
_MOST_REASONS = 10


@contextmanager
def archive_progress() -> Iterator[Callable[[ArchiveProgress], None]]:
    """Show a bar on a terminal; elsewhere, as in the log of a cluster, print a line now and then on standard error."""
    printed_at: list[float] = []

    with terminal.progress("starting") as bar:

        def report(progress: ArchiveProgress) -> None:
            bar(progress.completed, progress.total, progress_text(progress))
            now = time.monotonic()
            if not sys.stderr.isatty() and (not printed_at or now - printed_at[-1] >= _LINE_EVERY_S):
                printed_at[:] = [now]
                print(f"ectopy: {progress_text(progress)}", file=sys.stderr, flush=True)

        yield report


def progress_text(progress: ArchiveProgress) -> str:
    """Say in one line how far an archive is."""
    parts = [f"{progress.completed:,} of {progress.total:,} recordings", f"{progress.failed:,} failed"]
    if progress.per_hour is not None and progress.left_s is not None:
        parts += [f"{progress.per_hour:,.0f} an hour", f"{elapsed(progress.left_s)} left"]
    return ", ".join(parts)


def summary_figures(summary: ArchiveSummary) -> dict[str, Any]:
    """Figures of a run, for JSON."""
    progress = summary.progress
    return {
        "recordings": progress.total,
        "analysed": progress.total - len(summary.failed),
        "analysed_now": progress.completed_now - progress.failed,
        "elapsed_s": round(progress.elapsed_s, 3),
        "recordings_per_hour": progress.per_hour,
        "failed": summary.failed,
    }


def summary_table(summary: ArchiveSummary) -> Table:
    """Figures of a run, and the first reasons why recordings could not be analysed."""
    progress = summary.progress
    now = progress.completed_now - progress.failed
    rows = {
        "recordings": f"{progress.total:,}",
        "analysed": f"{progress.total - len(summary.failed):,}, {now:,} of them now",
        "time": elapsed(progress.elapsed_s),
        "recordings an hour": "-" if progress.per_hour is None else f"{progress.per_hour:,.0f}",
        "failed": f"{len(summary.failed):,}",
    }
    reasons = list(summary.failed.values())
    if reasons:
        more = f"and {len(reasons) - _MOST_REASONS:,} more, see the table recordings"
        rows["reasons"] = "\n".join([*reasons[:_MOST_REASONS], *([more] if len(reasons) > _MOST_REASONS else [])])
    return pairs_table("Archive", rows)
