"""How the load that a service bore looks in the terminal."""

from __future__ import annotations

from rich.table import Table

from ectopy.benchmarks.service_benchmark import Load


def load_table(load: Load) -> Table:
    """What was sent, what came of it, and at what cost."""
    table = Table(
        title=f"{load.devices} devices, {load.viewers} viewers, {load.seconds:g} s",
        title_justify="left",
        show_header=False,
    )
    seen = (load.sample_to_screen_p50_s, load.sample_to_screen_p95_s)
    p50, p95 = ("-" if value is None else f"{value:.2f}" for value in seen)
    rows = {
        "chunks sent": f"{load.chunks_sent:,}, of which {load.chunks_stored:,} stored",
        "lost, doubled": f"{load.chunks_lost}, {load.chunks_doubled}",
        "sample to screen": f"{p50} s, and {p95} s at p95; {load.frames_missed} frames missed",
        "memory": f"{load.rss_mb_start:.0f} to {load.rss_mb_end:.0f} MB, {load.rss_mb_growth_per_hour:+.0f} MB an hour",
        "cores busy": f"{load.cpu_share:.1%}",
    }
    for name, value in rows.items():
        table.add_row(name, value)
    return table
