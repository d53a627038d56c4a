from __future__ import annotations

import numpy as np
import pytest

from ectopy.cli.output.sources import sources_table
from ectopy.cli.output.terminal import screen
from ectopy.datasets.labelled_recording import LabelledBeats, LabelledRecording
from ectopy.datasets.sources import SourceSummary, summarise_sources


def labelled(database: str, patient: str, symbols: str | None, hours: float) -> LabelledRecording:
    beats = None if symbols is None else LabelledBeats(np.arange(len(symbols)) * 0.8, np.array(list(symbols)))
    return LabelledRecording(database, "x", patient, hours * 3600, beats=beats)


def test_rows_by_database_and_all_together():
    recordings = [
        labelled("mitdb", "mitdb/100", "NNV", 0.5),
        labelled("qtdb", "mitdb/100", "NLA", 0.25),
        labelled("qtdb", "edb/e0104", "NN/", 0.25),
        labelled("mitdb", "mitdb/101", "", 0.5),
        labelled("cinc2017", "cinc2017/A00001", None, 0.01),
    ]
    assert summarise_sources(iter(recordings)) == (
        SourceSummary("mitdb", 2, 2, 2, 1, 1.0),
        SourceSummary("qtdb", 2, 2, 4, 2, 0.5),
        SourceSummary("cinc2017", 1, 1, None, None, pytest.approx(0.01)),
        SourceSummary("all", 4, 5, 6, 3, pytest.approx(1.51)),
    )


def test_nothing_to_add_up():
    assert summarise_sources([]) == ()


def test_table(capsys: pytest.CaptureFixture[str]):
    rows = summarise_sources(
        [labelled("mitdb", "mitdb/100", "N" * 1234, 0.5), labelled("cinc2017", "cinc2017/A1", None, 0.04)]
    )
    screen(None).print(sources_table(rows))
    lines = [line.split() for line in capsys.readouterr().out.splitlines()]
    assert ["mitdb", "1", "1", "1,234", "0", "0.5"] in lines
    assert ["cinc2017", "1", "1", "-", "-", "0.0"] in lines
    assert ["all", "2", "2", "1,234", "0", "0.5"] in lines
