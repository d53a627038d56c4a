"""The logo at the head of a report, embedded in it."""

from __future__ import annotations

import base64
from io import BytesIO
from pathlib import Path

from ectopy.errors import DataError

_MOST_BYTES = 2**20
_MOST_PIXELS = 4_000_000
_JPEG_SCAN, _JPEG_END = b"\xff\xda", b"\xff\xd9"


def read_logo(path: Path) -> str:
    """Read a PNG or JPEG picture, recognised by its content, as a ``data:`` URL.

    A `DataError` if it is another file, damaged, larger than 1 MiB, or of more than 4 million pixels.
    """
    from PIL import Image

    try:
        with path.open("rb") as file:
            content = file.read(_MOST_BYTES + 1)
    except OSError as error:
        raise DataError(f"the logo {path} cannot be read: {error.strerror or error}.") from error
    if len(content) > _MOST_BYTES:
        raise DataError(f"the logo {path} is larger than 1 MiB; make it smaller.")
    try:
        with Image.open(BytesIO(content), formats=["PNG", "JPEG"]) as picture:
            width, height = picture.size
            kind = str(picture.format).lower()
            if width * height > _MOST_PIXELS:
                raise DataError(f"the logo {path} has {width} x {height} pixels; 4 million are enough.")
            picture.verify()
            # That does not look at the samples of a JPEG, whose last part ends with a mark of its own.
            if kind == "jpeg" and content.rfind(_JPEG_END) < content.rfind(_JPEG_SCAN):
                raise DataError(f"the logo {path} is cut short; copy it again.")
    except DataError:
        raise
    except Exception as error:  # Pillow raises nearly everything on a damaged picture
        raise DataError(f"the logo {path} is not a PNG or JPEG picture, or is damaged.") from error
    return f"data:image/{kind};base64,{base64.b64encode(content).decode()}"
