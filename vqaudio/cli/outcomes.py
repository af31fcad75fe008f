"""What commands say of the work that they did: how much, how small it got, how fast."""

from __future__ import annotations

import functools
import operator
from collections.abc import Sequence
from dataclasses import dataclass, replace


@dataclass(frozen=True)
class SoundDone:
    """Sound that was converted: how much, in how long (both seconds), and to how many bytes where it was compressed.

    ``problems``: what it lacked, in sentences. ``damaged``: whether some of it is lost, which was said already.
    """

    seconds: float
    elapsed: float
    size: int = 0
    problems: tuple[str, ...] = ()
    damaged: bool = False

    @property
    def kbps(self) -> float:
        """Thousand bits a second."""
        return self.size * 8 / self.seconds / 1000

    def __add__(self, other: SoundDone) -> SoundDone:
        return SoundDone(self.seconds + other.seconds, self.elapsed + other.elapsed, self.size + other.size)

    def __str__(self) -> str:
        rate = f" {self.size} bytes, {self.kbps:.2f} kb/s," if self.size else ""
        return f"{self.seconds:.2f} s,{rate} {speed(self.seconds, self.elapsed)}"


@dataclass(frozen=True)
class TableDone:
    """Values of tables that were converted, as :class:`SoundDone`; ``shape``: rows and columns of one table."""

    n_values: int
    elapsed: float
    size: int = 0
    shape: tuple[int, int] | None = None
    problems: tuple[str, ...] = ()
    damaged: bool = False

    @classmethod
    def of(cls, n_rows: int, n_columns: int, *, elapsed: float, size: int = 0) -> TableDone:
        """One table."""
        return cls(n_rows * n_columns, elapsed, size, (n_rows, n_columns))

    def __add__(self, other: TableDone) -> TableDone:
        return TableDone(self.n_values + other.n_values, self.elapsed + other.elapsed, self.size + other.size)

    def __str__(self) -> str:
        amount = "{} rows of {} columns".format(*self.shape) if self.shape else f"{self.n_values} values"
        made = f" {self.size} bytes, {self.size * 8 / max(1, self.n_values):.2f} bits a value," if self.size else ""
        return f"{amount},{made} {self.n_values / self.elapsed:.0f} values/s"


Outcome = SoundDone | TableDone


def speed(seconds: float, elapsed: float) -> str:
    """How many times faster sound was converted than it is heard."""
    times = seconds / elapsed
    return f"{times:.{0 if times >= 10 else 2}f} x real time"


def totals(done: Sequence[Outcome], *, elapsed: float | None = None) -> list[str]:
    """A line for all sounds together, and one for all tables.

    ``elapsed``: seconds that they took together, where some were converted at the same time.
    """
    if elapsed is not None:
        share = elapsed / sum(each.elapsed for each in done)
        done = [replace(each, elapsed=each.elapsed * share) for each in done]
    kinds = (("sounds", SoundDone), ("tables", TableDone))
    found = ((name, [each for each in done if isinstance(each, kind)]) for name, kind in kinds)
    return [f"{len(some)} {name}: {functools.reduce(operator.add, some)}" for name, some in found if some]
