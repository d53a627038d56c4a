from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]


def loaded_after(statement: str) -> set[str]:
    code = f"import sys; {statement}; print(*sys.modules)"
    process = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return {name.partition(".")[0] for name in process.stdout.split()}


@pytest.mark.parametrize(
    "statement",
    [
        "import ectopy",
        "from ectopy import Detector",
        "import ectopy.cli",
        "import ectopy.datasets",
        "import ectopy.formats",
    ],
)
def test_tensorflow_and_other_heavy_packages_wait_until_they_are_needed(statement: str):
    heavy = {"tensorflow", "keras", "sklearn", "matplotlib", "pyarrow", "scipy", "pooch", "ai_edge_litert"}
    heavy |= {"wfdb", "edfio", "pandas"}
    assert heavy.isdisjoint(loaded_after(statement))


def test_imports_follow_the_order_of_the_rooms():
    linter = Path(sys.executable).with_name("lint-imports")
    process = subprocess.run([linter, "--no-cache"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert process.returncode == 0, process.stdout


def test_every_public_name_can_be_imported():
    import ectopy

    for name in ectopy.__all__:
        assert getattr(ectopy, name) is not None
    assert set(dir(ectopy)) == set(ectopy.__all__)
    with pytest.raises(AttributeError, match="nothing"):
        _ = ectopy.nothing
