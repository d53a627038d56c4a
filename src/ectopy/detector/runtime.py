"""Runs the deployed graph: beats in, reconstruction and latent code out, with LiteRT."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import BundleError
from ectopy.quiet import native_stderr_silenced

# One size for streams and one for arrays: LiteRT plans memory once per batch size.
_SINGLE = 1
_BLOCK = 64
_BLOCK_FROM = 16


class Output(NamedTuple):
    """What the graph gives for n beats.

    Attributes
    ----------
    reconstruction : ndarray of float32, shape (n, members, samples)
        Each member's reconstruction, in the unit of the beats.
    latent : ndarray of float32, shape (n, members, latent size)
    """

    reconstruction: NDArray[np.float32]
    latent: NDArray[np.float32]


class Graph:
    """An autoencoder, or several trained on parts of the same normals, as one LiteRT graph.

    One thread; interpreters are kept per calling thread, so one object may be shared.

    Parameters
    ----------
    content : bytes
        A LiteRT flatbuffer with one input of shape (batch, samples) and the outputs ``reconstruction`` of shape
        (batch, members, samples) and ``latent`` of shape (batch, members, size).

    Raises
    ------
    BundleError
        If the content is not such a graph.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._local = threading.local()
        plan = self._plan(_SINGLE)
        self.samples = plan.samples
        self.members = plan.members

    def __reduce__(self) -> tuple[type[Graph], tuple[bytes]]:
        return Graph, (self.content,)

    def run(self, samples: NDArray[np.float32]) -> Output:
        """Reconstruct beats.

        Parameters
        ----------
        samples : ndarray of float32, shape (n, samples)
            Finite values.
        """
        blocks = list(self.blocks(samples))
        if not blocks:
            plan = self._plan(_SINGLE)
            return Output(
                np.empty((0, plan.members, plan.samples), np.float32),
                np.empty((0, plan.members, plan.latent_size), np.float32),
            )
        return Output(
            np.concatenate([output.reconstruction for _, output in blocks]),
            np.concatenate([output.latent for _, output in blocks]),
        )

    def blocks(self, samples: NDArray[np.float32]) -> Iterator[tuple[slice, Output]]:
        """Reconstruct beats a block at a time, so that memory stays bounded.

        Yields
        ------
        rows : slice
            Which rows of `samples` the output belongs to.
        output : Output
        """
        size = _BLOCK if len(samples) >= _BLOCK_FROM else _SINGLE
        plan = self._plan(size)
        for start in range(0, len(samples), size):
            rows = slice(start, min(start + size, len(samples)))
            yield rows, plan.run(samples[rows])

    def _plan(self, batch: int) -> _Plan:
        plans: dict[int, _Plan] = self._local.__dict__.setdefault("plans", {})
        if batch not in plans:
            plans[batch] = _Plan(self.content, batch)
        return plans[batch]


class _Plan:
    """A LiteRT interpreter with its memory laid out for one batch size."""

    def __init__(self, content: bytes, batch: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with native_stderr_silenced():
                self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
                self._input, self.samples, outputs = _signature(self._interpreter)
                self._interpreter.resize_tensor_input(self._input, [batch, self.samples])
                self._interpreter.allocate_tensors()
                self._interpreter.invoke()  # lays out the outputs, whose shapes follow the batch
            self._reconstruction, self._latent = outputs["reconstruction"], outputs["latent"]
            self.members = self._interpreter.get_tensor(self._reconstruction).shape[1]
            self.latent_size = self._interpreter.get_tensor(self._latent).shape[2]
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            raise BundleError(f"the LiteRT graph cannot be run: {error}") from error
        self._padded = np.zeros((batch, self.samples), np.float32)

    def run(self, samples: NDArray[np.float32]) -> Output:
        n = len(samples)
        self._padded[:n] = samples
        self._interpreter.set_tensor(self._input, self._padded)
        self._interpreter.invoke()
        return Output(
            self._interpreter.get_tensor(self._reconstruction)[:n],
            self._interpreter.get_tensor(self._latent)[:n],
        )


def _signature(interpreter: Any) -> tuple[int, int, dict[str, int]]:
    """Index of the input tensor, samples per beat, and index of each output by name."""
    signature = interpreter.get_signature_runner()
    (beats,) = signature.get_input_details().values()
    outputs = {name: details["index"] for name, details in signature.get_output_details().items()}
    return beats["index"], int(beats["shape"][1]), outputs
