"""A newcomer finds what the documents name: every file that they point to is there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "src" / "ectopy"
LIVES = {"docs/architecture.md": "## Where is it?", "CONTRIBUTING.md": "## Ten typical changes"}


@pytest.mark.skipif(
    not (PACKAGE / "analysis").is_dir(), reason="the files are not in the layout that the documents show"
)
@pytest.mark.parametrize("document", LIVES)
def test_every_file_that_a_table_names_is_there(document: str):
    text = (ROOT / document).read_text(encoding="utf-8")
    table = text.partition(LIVES[document])[2].partition("\n## ")[0]
    paths = [path for path in re.findall(r"`([\w/.]+\.\w+|[\w/]+/)`", table) if "NAME" not in path]
    assert len(paths) > 15
    folders = (PACKAGE, PACKAGE / "service", PACKAGE / "service" / "pages", ROOT)
    assert [path for path in paths if not any((folder / path).exists() for folder in folders)] == []
