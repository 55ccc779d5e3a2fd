"""Hostile inputs, made from a seed.

``case(number)`` is a short life of an estimator: parameters, and calls of fit and
partial_fit with data that a careless job may hand over. ``promises.live`` leads it.
"""

from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pandas as pd
from scipy import sparse
from sklearn_gd._core.losses import LOSSES

from sklearn_gd import GDRegressor
from sklearn_gd._solver import SOLVERS

SEED = 20260
COMBINATIONS = list(
    product(SOLVERS, LOSSES, [None, "l2", "l1", "elasticnet"], [False, True])
)
LARGE = [(3000, 5), (11_000, 3), (40, 300), (500, 250), (12, 2300)]

WRONG = [None, "auto", "no such thing", -1, 0, 1.5, np.nan, np.inf, True, [], object()]
CHANGES = {
    "solver": list(SOLVERS),
    "loss": list(LOSSES),
    "fit_intercept": [False, True],
    "learning_rate": ["auto", 1e-3],
    "batch_size": [None, 4],
    "alpha": [0.0, 1e-3],
    "early_stopping": [False, True],
}


@dataclass
class Call:
    """One call of a method, after these parameters were set."""

    method: str
    X: object
    y: object
    sample_weight: object = None
    changes: dict = field(default_factory=dict)


@dataclass
class Case:
    number: int
    parameters: dict
    calls: list
    notes: list


def case(number, folder):
    """Return the case of this number; memory maps are put in the folder."""
    rng = Dice(number)
    notes = []
    parameters = _parameters(rng, COMBINATIONS[number % len(COMBINATIONS)], notes)
    n, d = _shape(rng)
    targets = int(rng.choice([0, 0, 0, 0, 1, 2, 3]))
    calls = []
    methods = rng.pick(
        {
            "fit": 6,
            "fit fit": 1,
            "fit partial_fit": 1,
            "partial_fit partial_fit partial_fit": 3,
            "partial_fit fit": 1,
        }
    ).split()
    for method in methods:
        changed = calls and not rng.sound and rng.random() < 0.1
        X = _table(rng, n, d + 1 if changed else d, notes)
        y = _target(rng, X, targets, notes)
        X = _contained(rng, X, folder, notes)
        changes = {}
        if calls and rng.random() < 0.2:
            name = str(rng.choice(list(CHANGES)))
            changes = {name: CHANGES[name][rng.integers(len(CHANGES[name]))]}
        calls.append(Call(method, X, y, _weights(rng, len_of(X), notes), changes))
    return Case(number, parameters, calls, notes)


def len_of(X):
    return X.shape[0] if hasattr(X, "shape") and X.shape else len(X)


class Dice:
    """The random numbers of a case; a sound one is strange, but can be fitted."""

    def __init__(self, number):
        self._rng = np.random.default_rng([SEED, number])
        self.sound = self._rng.random() < 0.6

    def __getattr__(self, name):
        return getattr(self._rng, name)

    def pick(self, shares):
        """Return one of the names, whose shares these are."""
        names = [n for n in shares if not (self.sound and n in REFUSED)]
        p = np.array([shares[n] for n in names], dtype=float)
        return names[self._rng.choice(len(names), p=p / p.sum())]


REFUSED = {
    *("not finite", "short", "words", "sparse", "three axes", "None", "complex"),
    *("all zero", "negative", "column", "malformed", "frame of objects", "object"),
    *("strings", "one axis", "ragged"),
}


# --- parameters -----------------------------------------------------------------------


def _parameters(rng, combination, notes):
    solver, loss, penalty, positive = combination
    smooth = LOSSES[loss].has_second
    if solver == "newton" and rng.random() < 0.9:  # else most of its cases are refused
        loss = loss if smooth else "squared_error"
        penalty, positive = penalty if penalty == "l2" else None, False
    found = {
        "solver": solver,
        "loss": loss,
        "penalty": penalty,
        "positive": positive,
        "random_state": int(rng.integers(10)),
        "max_iter": int(rng.choice([1, 2, 20, 200])),
    }
    sometimes = {
        "alpha": lambda: _size(rng, 1e-300, 1e300),
        "l1_ratio": lambda: float(rng.choice([0.0, 0.5, 1.0])),
        "epsilon": lambda: float(rng.choice([0.0, _size(rng, 1e-300, 1e300)])),
        "quantile": lambda: float(rng.choice([1e-300, 0.1, 0.9, 1 - 1e-16])),
        "fit_intercept": lambda: False,
        "learning_rate": lambda: _size(
            rng, *((1e-8, 1e8) if rng.random() < 0.8 else (1e-300, 1e300))
        ),
        "momentum": lambda: float(rng.choice([0.0, 0.5, 1 - 1e-16])),
        "rho": lambda: float(rng.choice([0.0, 0.5, 1 - 1e-16])),
        "eps": lambda: _size(rng, 1e-300, 1e300),
        "power_t": lambda: float(rng.choice([-2.0, 0.0, 0.5, 400.0])),
        "tol": lambda: rng.choice([None, 0.0, 1e-300, 1e300]),
        "n_iter_no_change": lambda: int(rng.choice([1, 2, 100])),
        "early_stopping": lambda: True,
        "validation_fraction": lambda: float(rng.choice([1e-9, 0.5, 0.99])),
        "average": lambda: bool(rng.choice([True, False])),
        "shuffle": lambda: False,
        "warm_start": lambda: True,
        "store_path": lambda: True,
    }
    for name, make in sometimes.items():
        if rng.random() < (0.35 if name == "learning_rate" else 0.12):
            found[name] = make()
    if isinstance(found.get("learning_rate"), float) and rng.random() < 0.3:
        found["schedule"] = str(rng.choice(["invscaling", "adaptive"]))
    if solver != "newton" and rng.random() < 0.3:
        found["batch_size"] = int(rng.choice([1, 2, 7, 64, 10**9, 2**62]))
    if not rng.sound and rng.random() < 0.15:
        name = str(rng.choice(list(GDRegressor().get_params())))
        if name != "verbose":
            found[name] = WRONG[rng.integers(len(WRONG))]
            notes.append(f"{name}={found[name]!r}")
    return found


def _size(rng, low, high):
    return float(10.0 ** rng.uniform(np.log10(low), np.log10(high)))


# --- numbers --------------------------------------------------------------------------


def _shape(rng):
    n, d = int(rng.choice([1, 2, 3, 8, 30, 120])), int(rng.choice([1, 2, 3, 8, 40]))
    if rng.random() < 0.03:
        # Past the sizes from which there are samples, Lanczos, no Gram matrix.
        n, d = LARGE[rng.integers(len(LARGE))]
    if not rng.sound and rng.random() < 0.1:
        n, d = (0, d) if rng.random() < 0.5 else (n, 0)
    return n, d


def _table(rng, n, d, notes):
    X = rng.normal(size=(n, d))
    if rng.random() < 0.3:
        X[rng.random(X.shape) < 0.7] = 0.0
    if X.size == 0:
        notes.append(f"shape {X.shape}")
        return X
    scales = {
        "columns of all sizes": lambda: 10.0 ** rng.uniform(-300, 300, d),
        "columns of many sizes": lambda: 10.0 ** rng.uniform(-12, 12, d),
        "small columns": lambda: 10.0 ** rng.uniform(-300, -100, d),
        "all tiny": lambda: 10.0 ** rng.uniform(-323, -150),
        "all huge": lambda: 10.0 ** rng.uniform(100, 307),
        "one tiny column": lambda: np.where(np.arange(d) == 0, 1e-200, 1.0),
        "one huge column": lambda: np.where(np.arange(d) == 0, 1e200, 1.0),
    }
    if rng.random() < 0.4:
        name = str(rng.choice(list(scales)))
        notes.append(name)
        with np.errstate(over="ignore"):
            X *= scales[name]()
    spoils = {
        "a constant column": lambda j: X[:, j].fill(rng.choice([1.0, 1e9, 0.1])),
        "a column far from 0": lambda j: np.add(
            X[:, j], 10.0 ** rng.uniform(3, 17), out=X[:, j]
        ),
        "a column of zeros": lambda j: X[:, j].fill(0.0),
        "a column twice": lambda j: np.copyto(X[:, j], X[:, 0]),
        "a column nearly twice": lambda j: np.multiply(
            X[:, 0], 1.0 + 1e-13 * rng.normal(size=n), out=X[:, j]
        ),
        "an outlier": lambda j: X[:1, j].fill(10.0 ** rng.uniform(3, 300)),
        "a row of zeros": lambda j: X[-1].fill(0.0),
        "negative zeros": lambda j: X[:, j].fill(-0.0),
        "the same row": lambda j: np.copyto(X, X[:1].copy()),
        "sorted": lambda j: X.sort(axis=0),
    }
    for name, spoil in spoils.items():
        if rng.random() < 0.07:
            notes.append(name)
            spoil(rng.integers(d))
    if not rng.sound and rng.random() < 0.15:
        value = rng.choice([np.nan, np.inf, -np.inf])
        notes.append(f"{value} in X")
        X[rng.integers(n), rng.integers(d)] = value
    return X


def _target(rng, X, targets, notes):
    n, d = X.shape
    shape = (n, targets) if targets else (n,)
    with np.errstate(all="ignore"):
        scale = np.abs(X).max(axis=0, initial=0.0)
        Z = np.nan_to_num(X / np.where(scale > 0.0, scale, 1.0))
        y = Z @ rng.normal(size=(d, *shape[1:])) + rng.choice(
            [0.0, 0.1, 1.0]
        ) * rng.normal(size=shape)
    name = rng.pick(
        {
            "plain": 10,
            "constant": 1,
            "zero": 1,
            "huge": 1,
            "tiny": 1,
            "far from 0": 1,
            "an outlier in y": 1,
            "mostly one number": 1,
            "not finite": 0.5,
            "short": 0.3,
            "words": 0.3,
            "object": 0.3,
            "integers": 0.3,
            "bool": 0.3,
            "sparse": 0.3,
            "three axes": 0.2,
            "None": 0.2,
            "complex": 0.2,
            "float16": 0.2,
            "read only": 0.2,
            "reversed": 0.2,
        }
    )
    if name != "plain":
        notes.append(f"y {name}")
    with np.errstate(all="ignore"):
        match name:
            case "constant":
                y = np.full(shape, rng.choice([1.0, -1e9, 1e-300, 1e300, 0.1]))
            case "zero":
                y = np.zeros(shape)
            case "huge":
                y = y * 10.0 ** rng.uniform(100, 307)
            case "tiny":
                y = y * 10.0 ** rng.uniform(-323, -100)
            case "far from 0":
                y = y + 10.0 ** rng.uniform(3, 300)
            case "an outlier in y":
                y[:1] = 10.0 ** rng.uniform(3, 308)
            case "mostly one number":
                y[rng.random(n) < 0.8] = 3.0
            case "not finite":
                y[-1:] = rng.choice([np.nan, np.inf, -np.inf])
            case "short":
                y = y[:-1]
            case "words":
                y = np.full(shape, "word")
            case "object":
                y = y.astype(object)
            case "integers":
                y = np.round(10 * np.nan_to_num(y)).astype(np.int64)
            case "bool":
                y = y > 0
            case "sparse":
                y = sparse.csr_array(y.reshape(n, -1)) if n else y
            case "three axes":
                y = y[..., None, None]
            case "None":
                y = None
            case "complex":
                y = y + 1j
            case "float16":
                y = y.astype(np.float16)
            case "read only":
                y.flags.writeable = False
            case "reversed":
                y = y[::-1]
    return y


def _weights(rng, n, notes):
    if rng.random() < 0.5:
        return None
    s = rng.uniform(0.5, 2.0, n)
    name = rng.pick(
        {
            "plain": 4,
            "some zero": 3,
            "one not zero": 1,
            "all zero": 1,
            "negative": 1,
            "huge": 2,
            "denormal": 2,
            "of all sizes": 2,
            "not finite": 1,
            "short": 1,
            "words": 1,
            "number": 1,
            "integers": 1,
            "column": 1,
        }
    )
    notes.append(f"weights {name}")
    match name:
        case "some zero":
            s[rng.random(n) < 0.5] = 0.0
        case "one not zero":
            s[1:] = 0.0
        case "all zero":
            s[:] = 0.0
        case "negative":
            s[-1:] = -1.0
        case "huge":
            s *= 8e307
        case "denormal":
            s = np.ceil(s) * 5e-324
        case "of all sizes":
            s = 10.0 ** rng.uniform(-323, 308, n)
        case "not finite":
            s[-1:] = rng.choice([np.nan, np.inf])
        case "short":
            s = s[:-1]
        case "words":
            s = np.full(n, "word")
        case "number":
            s = 2.0
        case "integers":
            s = np.ceil(s).astype(int)
        case "column":
            s = s[:, None]
    return s


# --- containers -----------------------------------------------------------------------


def _contained(rng, X, folder, notes):
    name = rng.pick(
        {
            "C order": 6,
            "float32": 3,
            "csr": 6,
            "Fortran order": 1,
            "negative strides": 1,
            "every other": 1,
            "memmap": 1,
            "csc": 1,
            "coo": 1,
            "other sparse": 0.5,
            "odd csr": 2,
            "malformed": 2,
            "list": 0.5,
            "frame": 0.5,
            "frame of objects": 0.5,
            "float16": 0.5,
            "integers": 0.5,
            "bool": 0.5,
            "object": 0.5,
            "strings": 0.5,
            "complex": 0.3,
            "one axis": 0.3,
            "three axes": 0.3,
            "long double": 0.3,
            "ragged": 0.3,
            "swapped bytes": 0.3,
        }
    )
    if not name.endswith(("csr", "csc", "coo", "sparse", "malformed")):
        notes.append(f"X {name}")
        with np.errstate(all="ignore"):
            return _dense(rng, X, name, notes, folder)
    if X.size == 0:
        return sparse.csr_array(X)
    kind = rng.choice([np.float64, np.float32])
    with np.errstate(over="ignore"):
        X = sparse.csr_array(X.astype(kind))
    if rng.random() < 0.3:
        X = sparse.csr_matrix(X)
    if rng.random() < 0.3:
        X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    match name:
        case "csc" | "coo":
            X = X.asformat(name)
        case "other sparse":
            name = str(rng.choice(["lil", "dok", "bsr", "dia", "one axis"]))
            if name == "one axis":
                X = sparse.coo_array(X.toarray().ravel())
            elif name != "dia" or max(X.shape) < 50:  # SciPy warns of too many
                X = X.asformat(name)
        case "odd csr":
            name = _make_odd(rng, X)
        case "malformed" if rng.random() < 0.7:
            name = _malform(rng, X)
        case "malformed":
            X = X.asformat(str(rng.choice(["csc", "coo", "bsr"])))
            name = _malform_other(rng, X)
    notes.append(f"X {name}")
    return X


def _dense(rng, X, name, notes, folder):
    match name:
        case "float32" | "float16" | "complex":
            X = X.astype({"complex": complex}.get(name, name))
        case "long double":
            X = X.astype(np.longdouble)
        case "swapped bytes":
            X = X.astype(X.dtype.newbyteorder())
        case "Fortran order":
            X = np.asfortranarray(X)
        case "negative strides":
            X = np.ascontiguousarray(X[::-1, ::-1])[::-1, ::-1]
        case "every other":
            X = np.repeat(np.repeat(X, 2, axis=0), 2, axis=1)[::2, ::2]
        case "memmap" if X.size:
            file = folder / f"{len(notes)}.npy"  # of its own, in this case
            np.save(file, X)
            X = np.load(file, mmap_mode="r")
        case "list":
            X = X.tolist()
        case "frame" | "frame of objects":
            X = pd.DataFrame(X, columns=[f"c{j}" for j in range(X.shape[1])])
            if name != "frame" and X.size:
                X = X.astype(object)
                if rng.random() < 0.5:
                    X.iloc[0, 0] = rng.choice([None, "word", pd.NA])
        case "integers":
            X = np.round(10 * np.nan_to_num(X)).astype(rng.choice([np.int8, np.int64]))
        case "bool":
            X = X > 0
        case "object":
            X = X.astype(object)
            if X.size and rng.random() < 0.5:
                X[0, 0] = rng.choice([None, "word", 10**400])
        case "strings":
            X = X.astype(str)
        case "one axis":
            X = X.ravel()
        case "three axes":
            X = X[None]
        case "ragged" if len(X) > 1:
            X = [*X.tolist()[1:], [0.0] * (X.shape[1] + 1)]
    return X


def _make_odd(rng, X):
    """Change a CSR matrix in place, so that it stays one."""
    name = str(rng.choice(["explicit zeros", "unsorted", "repeated", "wrong flag"]))
    n, d = X.shape
    if name == "explicit zeros":
        X.data[rng.random(len(X.data)) < 0.5] = 0.0
    elif name == "unsorted":
        _reverse_rows(X)
    else:
        # Every row has its last column twice.
        last = np.repeat(np.arange(n), 1)
        twice = sparse.coo_array(
            (np.ones(n, X.dtype), (last, np.full(n, d - 1))), shape=(n, d)
        ).tocsr()
        data, indices, indptr = [], [], [0]
        for i in range(n):
            for one in (X, twice):
                some = slice(one.indptr[i], one.indptr[i + 1])
                data.append(one.data[some])
                indices.append(one.indices[some])
            indptr.append(sum(map(len, data)))
        X.data, X.indices = np.concatenate(data), np.concatenate(indices)
        X.indices = X.indices.astype(np.int64)
        X.indptr = np.array(indptr, dtype=np.int64)
        if name == "wrong flag":
            X.has_canonical_format = X.has_sorted_indices = True
    return name


def _reverse_rows(X):
    for i in range(X.shape[0]):
        some = slice(X.indptr[i], X.indptr[i + 1])
        X.data[some], X.indices[some] = X.data[some][::-1], X.indices[some][::-1]
    X.has_sorted_indices = False


def _malform(rng, X):
    """Break a CSR matrix in place: its arrays no longer fit its shape."""
    name = str(
        rng.choice(
            [
                "column too large",
                "negative column",
                "indptr past the end",
                "indptr falls",
                "indptr starts late",
                "short indices",
                "short data",
                "short indptr",
                "long indptr",
                "float indices",
            ]
        )
    )
    huge = np.iinfo(X.indices.dtype).max
    if len(X.indices) == 0:
        X.indptr[-1] = huge
        return "indptr past the end"
    match name:
        case "column too large":
            X.indices[-1] = rng.choice([X.shape[1], huge])
        case "negative column":
            X.indices[0] = rng.choice([-1, -huge])
        case "indptr past the end":
            X.indptr[-1] = rng.choice([len(X.indices) + 1, huge])
        case "indptr falls":
            X.indptr[1] = -1
        case "indptr starts late":
            X.indptr[0] = 1
        case "short indices":
            X.indices = X.indices[:-1]
        case "short data":
            X.data = X.data[:-1]
        case "short indptr":
            X.indptr = X.indptr[:-1]
        case "long indptr":
            X.indptr = np.append(X.indptr, X.indptr[-1])
        case "float indices":
            X.indices = X.indices.astype(float)
    return name


def _malform_other(rng, X):
    """Break a CSC, BSR or COO matrix in place."""
    if X.nnz == 0:
        return f"empty {X.format}"
    indices = X.col if X.format == "coo" else X.indices
    if not indices.flags.writeable:
        X.col = indices = indices.copy()
    indices[-1] = rng.choice([-1, max(X.shape), np.iinfo(indices.dtype).max])
    return f"{X.format} with an index outside"
