"""Calls of kernels: arrays in and out, and what is not there."""

from __future__ import annotations

import subprocess
import sys
import threading

import numpy as np
import pytest

from vqaudio.container.fields import DamageError
from vqaudio.series import kernels
from vqaudio.series.kernels import Output, call
from vqaudio.series.prediction.predictor import Linear


def cumulated(steps: np.ndarray) -> np.ndarray:
    return Linear(0, 0, (1,)).restore(steps, [])


def test_arrays_go_in_and_out_whatever_their_layout():
    steps = np.arange(1000)
    assert (cumulated(steps) == steps.cumsum()).all()
    assert (cumulated(steps[::-3]) == steps[::-3].cumsum()).all()
    assert len(cumulated(steps[:0])) == 0
    _, (costs,) = call("difference_costs", [steps, steps[:500]], 1500, Output(4))
    assert (costs == call("difference_costs", np.r_[steps, steps[:500]], 1500, Output(4))[1][0]).all()


def test_calls_share_nothing_and_threads_may_make_them():
    found: dict[int, bool] = {}

    def work(seed: int) -> None:
        steps = np.random.default_rng(seed).integers(-9, 9, 10_000)
        found[seed] = all((cumulated(steps) == steps.cumsum()).all() for _ in range(10))

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == dict.fromkeys(range(4), True)


def test_a_thread_keeps_no_large_memory():
    """Nor does a call that takes much disturb the next."""
    steps = np.ones(5_000_000, np.int64)
    assert cumulated(steps)[-1] == len(steps)
    assert kernels._threads.instance is None
    assert cumulated(steps[:9])[-1] == 9
    assert kernels._threads.instance.size <= kernels.MOST_KEPT


def test_what_traps_or_is_refused_is_damage():
    with pytest.raises(DamageError, match="lead nowhere"):
        call("difference_costs", np.zeros(1, np.int64), 1 << 30, Output(4))
    with pytest.raises(DamageError, match="64 bits"):
        cumulated(np.array([1 << 53, 1]))


@pytest.mark.skipif(sys.platform != "linux", reason="addresses are limited otherwise")
def test_kernels_run_where_addresses_are_scarce():
    """As by ``ulimit -v``: a memory cannot reserve 4 GB there."""
    script = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_AS, (3 << 30, resource.RLIM_INFINITY))\n"
        "import numpy as np\n"
        "from vqaudio.container.fields import DamageError\n"
        "from vqaudio.series.kernels import Output, Scratch, call\n"
        "print(*call('difference_costs', np.arange(500), 500, Output(4))[1][0] > 0)\n"
        "try:\n"
        "    call('difference_costs', np.zeros(1, np.int64), 1 << 30, Output(4))\n"
        "except DamageError as damage:\n"
        "    print(damage)\n"
        "try:\n"
        "    call('difference_costs', np.arange(500), 500, Output(4), Scratch(3 << 30))\n"
        "except MemoryError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    said = done.stdout.splitlines()
    assert said[:2] == ["True True True True", "its bytes lead nowhere"]
    assert said[2].endswith(" bytes for the kernel difference_costs")


def test_wasmtime_is_imported_by_the_first_call_and_named_where_it_is_missing():
    script = (
        "import sys\n"
        "import vqaudio.series.writer, vqaudio.series.stored\n"
        "assert 'wasmtime' not in sys.modules\n"
        "sys.modules['wasmtime'] = None\n"
        "from vqaudio.errors import SeriesError\n"
        "from vqaudio.series.kernels import call\n"
        "try:\n"
        "    call('restore_linear')\n"
        "except SeriesError as error:\n"
        "    print(error)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "tables are coded by wasmtime, which is not installed: pip install 'vqaudio[tables]'\n"
