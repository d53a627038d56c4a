"""A newcomer finds what the documents name: every file and folder exists, and a name means one module."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PLACES = [ROOT / name for name in ("src/ectopy", "tests", "docs", ".ci")]
CODE = re.compile(r"`([^`\n]+)`|\]\(([^)\s]+)\)|^ {4}(\S.*)$", re.MULTILINE)
PATH = re.compile(r"(?<![\w/.-])(?:[\w-]+/)*(?:[\w.-]+\.(?:py|md|js|html|toml|txt|jinja)|[\w-]+/)(?![\w/])")


@pytest.fixture(scope="module")
def paths() -> set[str]:
    """Every path in the checkout and every end of one, such as ``formats/csv.py`` and ``csv.py``."""
    if not (ROOT / "CONTRIBUTING.md").is_file():
        pytest.skip("the documents are not beside the tests")
    files = [path for place in PLACES for path in [place, *place.rglob("*")]]
    parts = [path.relative_to(ROOT).parts for path in [*files, *ROOT.glob("*")]]
    return {"/".join(names[begin:]) for names in parts for begin in range(len(names))}


@pytest.mark.parametrize("document", ["CONTRIBUTING.md", "docs/architecture.md"])
def test_every_path_that_a_document_names_exists(document: str, paths: set[str]):
    text = (ROOT / document).read_text(encoding="utf-8")
    code = [" ".join(filter(None, groups)) for groups in CODE.findall(text)]
    named = [path.removeprefix("../") for piece in code for path in PATH.findall(piece)]
    named = [path for path in named if not re.search("NAME|ROOM|MODULE", path)]
    assert len(named) > 40
    assert [path for path in named if path.rstrip("/") not in paths] == []


def test_no_two_modules_share_a_name_but_a_presenter_and_what_it_presents():
    root = ROOT / "src" / "ectopy"
    modules = [path for path in root.rglob("*.py") if path.name != "__init__.py" and path.parent != root / "cli/output"]
    assert [name for name, count in Counter(path.name for path in modules).items() if count > 1] == []
