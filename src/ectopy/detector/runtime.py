"""Run the deployed graph with LiteRT: beats in, reconstruction, error and latent code out."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ectopy.errors import BundleError
from ectopy.processes import native_stderr_silenced

# One size for streams and one for arrays: LiteRT plans memory once per batch size.
_SINGLE = 1
_BLOCK = 64
_BLOCK_FROM = 16


class Output(NamedTuple):
    """Output for the scores of n beats.

    Attributes
    ----------
    mean_square_error : ndarray of float32, shape (n, members)
        Of each member's reconstruction, in the beats' unit squared; by the mean that the graph takes, see
        `ectopy.training.reconstruction_error`.
    latent : ndarray of float32, shape (n, members, latent size)
    """

    mean_square_error: NDArray[np.float32]
    latent: NDArray[np.float32]


class ExplanationOutput(NamedTuple):
    """Output for the explanation of n beats, in the beats' unit.

    Attributes
    ----------
    reconstruction : ndarray of float32, shape (n, members, samples)
    error : ndarray of float32, shape (n, members, samples)
        How far each sample lies outside the reconstruction; positive = above it.
    """

    reconstruction: NDArray[np.float32]
    error: NDArray[np.float32]


class Graph:
    """An autoencoder, or several trained on parts of the same normals, as one LiteRT graph.

    One thread; interpreters are kept per calling thread, so one object may be shared.

    Parameters
    ----------
    content : bytes
        A LiteRT flatbuffer with one input of shape (batch, samples) and an output for each field of `Output` and
        `ExplanationOutput`.

    Raises
    ------
    BundleError
        If the content is not such a graph.
    """

    def __init__(self, content: bytes) -> None:
        self.content = content
        self._local = threading.local()
        interpreter = self._interpreter_for(_SINGLE)
        self.samples = interpreter.samples
        self.members = interpreter.members

    def __reduce__(self) -> tuple[type[Graph], tuple[bytes]]:
        return Graph, (self.content,)

    def __repr__(self) -> str:
        return f"Graph(samples={self.samples}, members={self.members})"

    def run(self, samples: NDArray[np.float32]) -> Output:
        """Run the graph on beats.

        Parameters
        ----------
        samples : ndarray of float32, shape (n, samples)
            Finite values; n at least 1.
        """
        outputs = [output for _, output in self.blocks(samples)]
        return Output(*map(np.concatenate, zip(*outputs, strict=True)))

    def blocks(self, samples: NDArray[np.float32]) -> Iterator[tuple[slice, Output]]:
        """Run the graph a block of beats at a time, so that memory stays bounded.

        Yields
        ------
        rows : slice
            Which rows of `samples` the output belongs to.
        output : Output
        """
        for rows, interpreter in self._steps(samples):
            yield rows, Output(*interpreter.run(samples[rows], Output._fields))

    def run_explained(self, samples: NDArray[np.float32]) -> Iterator[tuple[slice, Output, ExplanationOutput]]:
        """Run as `blocks`, with the output for explanations, which is slower."""
        for rows, interpreter in self._steps(samples):
            score, latent, *explained = interpreter.run(samples[rows], Output._fields + ExplanationOutput._fields)
            yield rows, Output(score, latent), ExplanationOutput(*explained)

    def _steps(self, samples: NDArray[np.float32]) -> Iterator[tuple[slice, _Interpreter]]:
        size = _BLOCK if len(samples) >= _BLOCK_FROM else _SINGLE
        interpreter = self._interpreter_for(size)
        for start in range(0, len(samples), size):
            yield slice(start, min(start + size, len(samples))), interpreter

    def _interpreter_for(self, batch: int) -> _Interpreter:
        interpreters: dict[int, _Interpreter] = self._local.__dict__.setdefault("interpreters", {})
        if batch not in interpreters:
            interpreters[batch] = _Interpreter(self.content, batch)
        return interpreters[batch]


class _Interpreter:
    """A LiteRT interpreter with its memory laid out for one batch size."""

    def __init__(self, content: bytes, batch: int) -> None:
        from ai_edge_litert.interpreter import Interpreter

        try:
            with native_stderr_silenced():
                self._interpreter: Any = Interpreter(model_content=content, num_threads=1)
                self._input, self.samples, self._outputs = _signature(self._interpreter)
                self._interpreter.resize_tensor_input(self._input, [batch, self.samples])
                self._interpreter.allocate_tensors()
                self._interpreter.invoke()  # lays out the outputs, whose shapes follow the batch
            self.members = self._interpreter.get_tensor(self._outputs["latent"]).shape[1]
        except (ValueError, RuntimeError, KeyError, IndexError) as error:
            raise BundleError(f"the LiteRT graph cannot be run: {error}") from error
        self._padded = np.zeros((batch, self.samples), np.float32)

    def run(self, samples: NDArray[np.float32], outputs: tuple[str, ...]) -> list[NDArray[np.float32]]:
        n = len(samples)
        self._padded[:n] = samples
        self._interpreter.set_tensor(self._input, self._padded)
        self._interpreter.invoke()
        return [self._interpreter.get_tensor(self._outputs[name])[:n] for name in outputs]


def _signature(interpreter: Any) -> tuple[int, int, dict[str, int]]:
    """Index of the input tensor, samples per beat, and index of each output by name."""
    signature = interpreter.get_signature_runner()
    (beats,) = signature.get_input_details().values()
    outputs = {name: details["index"] for name, details in signature.get_output_details().items()}
    missing = {*Output._fields, *ExplanationOutput._fields} - outputs.keys()
    if missing:
        raise ValueError(f"it has no output {', '.join(sorted(missing))}")
    return beats["index"], int(beats["shape"][1]), outputs
