"""What the benchmarks share: contenders take turns in one process, minima are compared.

A script has a list CASES. A case builds its data and its contenders, and says which is
compared with which, and what the ratio should be. Everything runs in one thread.
"""

import argparse
import json
import math
import os
import time
import warnings
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from scipy import sparse
from sklearn.exceptions import ConvergenceWarning
from sklearn.linear_model import Ridge
from threadpoolctl import threadpool_limits

from sklearn_gd import GDRegressor

QUICK_SHRINKS = 20  # --quick has this many times fewer rows, or columns
EPOCHS = 4  # more epochs, to be divided by, in the time of one
ONE_THREAD = {
    f"{library}_NUM_THREADS": "1"
    for library in ("BLIS", "MKL", "OMP", "OPENBLAS", "VECLIB")
}


def one_thread_environment():
    """Return the environment of a child process."""
    return {**os.environ, **ONE_THREAD}


# --- data -----------------------------------------------------------------------------


def rows(n, quick):
    return n // QUICK_SHRINKS if quick else n


@lru_cache(maxsize=1)
def dense(n, d, dtype="float64", r2=0.9):
    """Return standardised X, and y = Xw + noise with about this R²."""
    rng = np.random.default_rng(0)
    X = rng.standard_normal((n, d), dtype=dtype)
    X -= X.mean(axis=0)
    X /= X.std(axis=0)
    return X, _targets(X, r2, rng)


@lru_cache(maxsize=1)
def csr(n, d, in_row, dtype="float64"):
    """Return X with rows of length about 1, one value in each of in_row strata."""
    rng = np.random.default_rng(0)
    edges = np.arange(in_row + 1) * d // in_row
    columns = rng.integers(edges[:-1], edges[1:], size=(n, in_row)).astype(np.int32)
    values = rng.standard_normal(n * in_row, dtype=dtype)
    values /= np.sqrt(in_row, dtype=dtype)
    starts = np.arange(0, n * in_row + 1, in_row, dtype=np.int32)
    X = sparse.csr_array((values, columns.ravel(), starts), shape=(n, d))
    return X, _targets(X, 0.9, rng)


def _targets(X, r2, rng):
    y = (X @ rng.standard_normal(X.shape[1]).astype(X.dtype)).astype(np.float64)
    return y + np.std(y) * np.sqrt(1 / r2 - 1) * rng.standard_normal(len(y))


def ols_r2(X, y):
    return Ridge(alpha=1e-10, solver="cholesky").fit(X, y).score(X, y)


# --- contenders -----------------------------------------------------------------------


def seconds(call):
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


class Contender:
    """Something measured: ``once`` returns numbers, of which small ones are good.

    Parameters
    ----------
    call : callable
        What is timed.
    ours : bool
        Whether --base and --head compare it.
    rounds : int
        It takes part in no more than these.
    """

    unit = "ms"

    def __init__(self, call, ours=False, rounds=math.inf):
        self.call = call
        self.ours = ours
        self.rounds = rounds

    def once(self):
        return (1e3 * seconds(self.call),)

    @staticmethod
    def value(numbers):
        """Return the one number that is compared."""
        return numbers[0]

    def note(self):
        return ""


class Number(Contender):
    """What ``call`` returns, in place of its time."""

    def __init__(self, call, unit, **options):
        super().__init__(call, **options)
        self.unit = unit

    def once(self):
        return (self.call(),)


class Fit(Contender):
    """The time of ``model.fit(X, y)``; ols is the R² that its note is relative to."""

    def __init__(self, model, X, y, *, ols=None, rounds=math.inf, **fit_options):
        super().__init__(self.fit, isinstance(model, GDRegressor), rounds)
        self.model, self.X, self.y, self.ols = model, X, y, ols
        self.fit_options = fit_options

    def fit(self):
        self.model.fit(self.X, self.y, **self.fit_options)

    def gap(self):
        return self.ols - self.model.score(self.X, self.y)

    def note(self):
        return "" if self.ols is None else f"{self.gap():.0e}"


class Epoch(Fit):
    """The time of one epoch: that of 1 + EPOCHS without that of 1, over EPOCHS."""

    def once(self):
        times = []
        for epochs in (1, 1 + EPOCHS):
            self.model.set_params(max_iter=epochs)
            times.append(1e3 * seconds(self.fit))
        return tuple(times)

    @staticmethod
    def value(numbers):
        one, more = numbers
        return (more - one) / EPOCHS


# --- cases ----------------------------------------------------------------------------


@contextmanager
def one_thread():
    """One thread, and no warnings of fits that are meant to be short."""
    with threadpool_limits(1), warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        yield


@dataclass(frozen=True)
class Case:
    """Contenders, and who is compared with whom.

    Attributes
    ----------
    name : str
    build : callable
        ``build(quick)`` returns the contenders by name.
    targets : list of (str, str, str or None)
        (ours, the other, bound). "≥ 2" bounds the other's over ours, "≤ 1.15" ours over
        the other's; None only informs.
    rounds, quick_rounds : int
    """

    name: str
    build: Callable
    targets: list
    rounds: int = 7
    quick_rounds: int = 3


@dataclass(frozen=True)
class Row:
    """One line of the table."""

    case: str
    ours: str
    other: str
    ratio: float
    low: float
    high: float
    bound: str | None
    values: str
    note: str = ""

    @property
    def met(self):
        if self.bound is None:
            return None
        sense, number = self.bound.split()
        if sense == "≥":
            return self.ratio >= float(number)
        return self.ratio <= float(number)


def measure(contenders, rounds):
    """Return, for each contender, its numbers of each round: they take turns."""
    numbers = {name: [] for name in contenders}
    for i in range(rounds):
        for name, contender in contenders.items():
            if i < contender.rounds:
                numbers[name].append(contender.once())
    return numbers


def minima(numbers):
    return tuple(map(min, zip(*numbers, strict=True)))


def compare(case, contenders, numbers, target):
    """Return the Row of one target."""
    names, bound = target[:2], target[2]
    sides = [contenders[name] for name in names]
    rounds = [numbers[name] for name in names]

    def ratio(mine, other):
        return mine / other if (bound or "").startswith("≤") else other / mine

    best = [
        side.value(minima(of_side)) for side, of_side in zip(sides, rounds, strict=True)
    ]
    each = [  # a contender may have fewer rounds than the other
        ratio(sides[0].value(mine), sides[1].value(other))
        for mine, other in zip(*rounds, strict=False)
    ]
    notes = [side.note() for side in sides]
    note = f"R² gaps {notes[0]}, {notes[1]}" if all(notes) else ""
    if all(isinstance(side, Epoch) for side in sides):
        note = f"fit of one epoch {ratio(*(minima(n)[0] for n in rounds)):.2f}"
    values = f"{best[0]:.3g} / {best[1]:.3g} {sides[0].unit}"
    return Row(case, *names, ratio(*best), min(each), max(each), bound, values, note)


def run(cases, quick=False):
    """Yield the Rows of all cases."""
    with one_thread():
        for case in cases:
            contenders = case.build(quick)
            numbers = measure(contenders, case.quick_rounds if quick else case.rounds)
            for target in case.targets:
                if target[0] in contenders and target[1] in contenders:
                    yield compare(case.name, contenders, numbers, target)


def run_ours(cases, quick=False):
    """Return {case, contender: minimum} for the contenders that are ours."""
    found = {}
    with one_thread():
        for case in cases:
            contenders = case.build(quick)
            ours = {name: c for name, c in contenders.items() if c.ours}
            numbers = measure(ours, case.quick_rounds)
            for name, contender in ours.items():
                key = f"{case.name}: {name}"
                found[key] = contender.value(minima(numbers[name]))
    return found


# --- tables ---------------------------------------------------------------------------

HEADER = ["case", "ours", "other", "ratio", "over rounds", "target", "met"]
HEADER += ["ours / other", "note"]
MET = {True: "yes", False: "NO", None: ""}


def cells(row):
    return [
        row.case,
        row.ours,
        row.other,
        f"{row.ratio:.2f}",
        f"{row.low:.2f} … {row.high:.2f}",
        row.bound or "",
        MET[row.met],
        row.values,
        row.note,
    ]


def print_table(found, title=None):
    """Print Rows as they come; return them as a list."""
    widths = [36, 10, 20, 7, 13, 6, 3, 20, 0]

    def line(texts):
        padded = [text.ljust(w) for text, w in zip(texts, widths, strict=True)]
        print("  ".join(padded).rstrip(), flush=True)

    if title:
        print(f"\n{title}\n")
    line(HEADER)
    kept = []
    for row in found:
        kept.append(row)
        line(cells(row))
    return kept


def main(cases):
    """Run one script: the table of its cases, or (--ours) the times of ours as JSON."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--quick", action="store_true", help="small, for a first look")
    parser.add_argument("--ours", action="store_true", help="only our own, as JSON")
    options = parser.parse_args()
    if options.ours:
        print(json.dumps(run_ours(cases, options.quick)))
    else:
        print_table(run(cases, options.quick))
