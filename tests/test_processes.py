from __future__ import annotations

import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import nullcontext, suppress

import pytest

from ectopy.processes import delayed_interrupt, run_python, until_interrupted


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


def interrupted(presses: int, done: list[int]) -> None:
    """Work on three items; in the second one Ctrl-C is pressed so many times."""
    for item in until_interrupted(range(3)):
        if item == 1:
            for _ in range(presses):
                signal.raise_signal(signal.SIGINT)
        done.append(item)


@pytest.mark.parametrize(("presses", "worked_on"), [(1, [0, 1]), (2, [0])])
def test_ctrl_c_within_an_item_comes_after_it_and_at_once_if_pressed_again(presses: int, worked_on: list[int]):
    done: list[int] = []
    with pytest.raises(KeyboardInterrupt):
        interrupted(presses, done)
    assert done == worked_on
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_comes_at_once_where_an_item_is_awaited():
    went_on: list[str] = []

    def items() -> Iterator[int]:
        yield 0
        signal.raise_signal(signal.SIGINT)
        went_on.append("on")

    with pytest.raises(KeyboardInterrupt):
        list(until_interrupted(items()))
    assert not went_on
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


def test_ctrl_c_while_a_string_is_executed_leaves_the_exit_status_alone():
    """As when a data class is made; CPython would end as if killed by Ctrl-C, even though it was caught."""
    program = """
import signal, sys
from ectopy.processes import until_interrupted
try:
    for _ in until_interrupted("ab"):
        exec("signal.raise_signal(signal.SIGINT)")
except KeyboardInterrupt:
    sys.exit(130)
"""
    assert subprocess.run([sys.executable, "-c", program], check=False).returncode == 130


def test_nothing_comes_of_nothing():
    with delayed_interrupt():
        pass
    assert list(until_interrupted("ab")) == ["a", "b"]
    assert signal.getsignal(signal.SIGINT) is signal.default_int_handler


@pytest.mark.parametrize("handler", [signal.SIG_IGN, signal.Handlers.SIG_DFL])
def test_who_handles_it_otherwise_is_left_alone(handler: signal.Handlers):
    signal.signal(signal.SIGINT, handler)
    with delayed_interrupt():
        assert signal.getsignal(signal.SIGINT) is handler
    assert [signal.getsignal(signal.SIGINT) for _ in until_interrupted("a")] == [handler]


def test_other_threads_change_nothing():
    handlers = []

    def look() -> None:
        with delayed_interrupt():
            handlers.append(signal.getsignal(signal.SIGINT))
        handlers.extend(signal.getsignal(signal.SIGINT) for _ in until_interrupted("a"))

    thread = threading.Thread(target=look)
    thread.start()
    thread.join()
    assert handlers == [signal.default_int_handler] * 2


def test_a_process_of_several_has_no_spare_core():
    code = (
        "import os; os.sched_getaffinity = lambda _: {0, 1}\n"
        "from ectopy.processes import has_spare_core, share_cores\n"
        "print(has_spare_core()); share_cores(); print(has_spare_core())"
    )
    assert run_python("-c", code).split() == ["True", "False"]
