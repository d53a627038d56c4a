"""Examples in the description of the API."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, TypeVar

from pydantic import ConfigDict, with_config

T = TypeVar("T", bound=type)


def example_config(**example: Any) -> ConfigDict:
    """Configure a model of Pydantic with an example."""
    return ConfigDict(json_schema_extra={"examples": [example]})


def with_example(**example: Any) -> Callable[[T], T]:
    """Give a dataclass or `TypedDict` of an answer an example; all its fields are there, also those with a default."""
    return with_config(example_config(**example) | ConfigDict(json_schema_serialization_defaults_required=True))
