from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress

import pytest

from ectopy.processes import delayed_interrupt


@pytest.fixture(autouse=True)
def default_handler() -> Iterator[None]:
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


def load(went_on: list[str], *, swallow: bool) -> None:
    with delayed_interrupt():
        with suppress(KeyboardInterrupt) if swallow else nullcontext():
            signal.raise_signal(signal.SIGINT)
        went_on.append("on")


def test_a_swallowed_interrupt_comes_in_the_end():
    went_on: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        load(went_on, swallow=True)
    assert went_on
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_an_interrupt_that_is_heard_comes_at_once():
    went_on: list[str] = []
    with pytest.raises(KeyboardInterrupt):
        load(went_on, swallow=False)
    assert not went_on
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_nothing_comes_of_nothing():
    with delayed_interrupt():
        pass
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.Handlers.SIG_DFL])
def test_who_handles_it_otherwise_is_left_alone(handler: signal.Handlers):
    signal.signal(signal.SIGINT, handler)
    with delayed_interrupt():
        assert signal.getsignal(signal.SIGINT) is handler


def test_other_threads_change_nothing():
    seen = []

    def look() -> None:
        with delayed_interrupt():
            seen.append(signal.getsignal(signal.SIGINT))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert seen == [signal.default_int_handler]
