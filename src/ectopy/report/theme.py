"""The colours of pages and figures, for light and dark screens.

Figures are drawn in the light colours and name each as a CSS variable with that colour as its
fallback, so that a figure follows its page and looks right alone.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

LIGHT: Mapping[str, str] = MappingProxyType(
    {
        "page": "#f4f6f8",
        "surface": "#fdfeff",
        "line": "#d5dce3",
        "muted": "#566472",
        "ink": "#17212b",
        "normal": "#12687f",
        "abnormal": "#b5371f",
        "unreadable": "#7a5c0e",
        "paper": "#fff9f6",
        "fine": "#f6dcd4",
        "heavy": "#e5ac9f",
        "pulse": "#7b2d8e",
    }
)
DARK: Mapping[str, str] = MappingProxyType(
    {
        "page": "#0f1418",
        "surface": "#171e25",
        "line": "#33404c",
        "muted": "#9dabb8",
        "ink": "#e4eaf0",
        "normal": "#5fc3dd",
        "abnormal": "#ff8f73",
        "unreadable": "#dcb54d",
        "paper": "#1b181a",
        "fine": "#33272a",
        "heavy": "#5c3f3f",
        "pulse": "#dca6ec",
    }
)


def themed(svg: str) -> str:
    """Make a figure drawn in the light colours follow the colours of its page."""
    for name, colour in LIGHT.items():
        svg = svg.replace(colour, f"var(--{name},{colour})")
    return svg
