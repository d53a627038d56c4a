"""Tables of a comparison of methods on ECG5000 for the terminal."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.table import Table

from ectopy.cli.output.rich_tables import numbers_table

_COLUMNS = {
    "AUC": "auc",
    "av. prec.": "average_precision",
    "accuracy": "accuracy",
    "F1": "f1",
    "TPR at 1 %": "tpr_at_fpr_0.01",
    "FPR": "fpr",
}


def renderables(result: Mapping[str, Any]) -> Iterator[Table]:
    """Mean and standard deviation per method."""
    title = f"ECG5000, protocol {result['protocol']}, {result['seeds']} seeds: mean and standard deviation"
    table = numbers_table(title, "method", *_COLUMNS, "fit, s")
    for name, figures in result["methods"].items():
        cells = [f"{figures[key]['mean']:.4f}\n±{figures[key]['std']:.4f}" for key in _COLUMNS.values()]
        table.add_row(name, *cells, f"{figures['fit_s']['mean']:.1f}")
    yield table
