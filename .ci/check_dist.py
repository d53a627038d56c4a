"""Check what `make dist` has built: one wheel and one sdist, complete, with nothing else in them, and importable."""

from __future__ import annotations

import re
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).parents[1]


def main() -> None:
    version = re.search(r'^__version__ = "(.+)"$', (ROOT / "src/ectopy/__init__.py").read_text(), re.MULTILINE)[1]
    wheel, sdist = ROOT / f"dist/ectopy-{version}-py3-none-any.whl", ROOT / f"dist/ectopy-{version}.tar.gz"
    built = sorted((ROOT / "dist").iterdir())
    require(built == sorted([wheel, sdist]), f"dist/ must hold {wheel.name} and {sdist.name} only, not {built}.")
    heading = re.search(r"^## (.+)$", (ROOT / "CHANGELOG.md").read_text(), re.MULTILINE)[1]
    require(heading.startswith(f"{version} - "), f"CHANGELOG.md must begin with {version}, not '{heading}'.")

    tracked = {path for path in git("ls-files", "src/ectopy").splitlines()}
    names = zipfile.ZipFile(wheel).namelist()
    package = {f"src/{name}" for name in names if name.startswith("ectopy/")}
    require(tracked == package, f"the wheel differs from what git has: {sorted(tracked ^ package)}.")
    info = {name.rpartition("/")[2] for name in names if name.startswith(f"ectopy-{version}.dist-info/")}
    require(len(names) == len(package) + len(info), "the wheel holds something beside the package.")
    require(info >= {"METADATA", "RECORD", "WHEEL", "entry_points.txt", "LICENSE"}, f"the wheel has only {info}.")
    sources = {name.partition("/")[2] for name in tarfile.open(sdist).getnames()}
    missing = {path for path in git("ls-files", "src", "tests", "docs").splitlines()} - sources
    require(not missing, f"the sdist lacks {sorted(missing)}.")

    with tempfile.TemporaryDirectory() as folder:
        python = [sys.executable, "-I"]
        subprocess.run(
            [*python, "-m", "pip", "install", "--quiet", "--no-deps", "--no-index", "--target", folder, str(wheel)],
            check=True,
        )
        code = (
            f"import sys; sys.path.insert(0, {folder!r}); import ectopy; from ectopy.analysis.shipped_detector import load_ambulatory; "
            f"assert ectopy.__file__.startswith({folder!r}); load_ambulatory(); print('ectopy', ectopy.__version__)"
        )
        subprocess.run([*python, "-c", code], check=True, cwd=folder)
    released = "not released yet" if "unreleased" in heading else heading
    print(f"{wheel.name}: {len(package)} files, {wheel.stat().st_size / 1e6:.1f} MB; {released}")


def git(*arguments: str) -> str:
    return subprocess.run(["git", *arguments], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def require(condition: bool, message: str) -> None:
    if not condition:
        sys.exit(message)


if __name__ == "__main__":
    main()
