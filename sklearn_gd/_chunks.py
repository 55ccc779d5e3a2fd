"""Rows in the chunks of a Dask collection, each worked on where it lies.

Dask is the engine: what a sum takes of a chunk is one of its tasks, and the results
travel up a tree. They are of the size of w, or of the Gram matrix where one is made;
rows travel only where a few of them are asked for. Targets and weights are kept with
the workers; rows of X are asked for in each pass, so that a collection which is read
from files is read again, unless it was persisted.
"""

from copy import copy, deepcopy
from dataclasses import dataclass
from functools import reduce
from typing import NamedTuple

import numpy as np
from scipy import sparse
from sklearn.utils import check_array
from sklearn.utils.validation import check_non_negative

from sklearn_gd._collections import (
    aligned,
    blocks_of,
    collected,
    load_dask,
    sizes_of,
    stand_in,
    valid_rows,
)
from sklearn_gd._core.penalties import Penalty
from sklearn_gd._data import (
    FEW_VALUES,
    Data,
    SparseData,
    Traveller,
    as_data,
    merged_moments,
    unit_of,
    with_rows,
)

# How many results of tasks are merged into one.
FAN = 8
# Bytes of chunks that may be read ahead while w travels.
AHEAD = 1 << 28


# --- what tasks do, where the chunk lies ----------------------------------------------


class Target(NamedTuple):
    """What is known of the y of a chunk: its mean, its variance and its range."""

    mean: float
    variance: float
    low: float
    high: float


class Facts(NamedTuple):
    """What is known of a chunk of rows.

    Attributes
    ----------
    rows, n : int
        All rows, and those that count.
    largest, weight : float
        The largest weight, and the sum of the weights over it.
    dtype : dtype
    stored : int
        Values of X that the chunk holds.
    sparse : bool
    targets : list of Target
    """

    rows: int
    n: int
    largest: float
    weight: float
    dtype: np.dtype
    stored: int
    sparse: bool
    targets: list


class Part(NamedTuple):
    """What stays where a chunk is.

    Attributes
    ----------
    aside : Data or None
        Its targets and weights, without X; None if their numbers are not its own.
    facts : Facts
    lengths : tuple of int
        The numbers of rows of X, y and the weights.
    """

    aside: Data | None
    facts: Facts | None
    lengths: tuple


def _column(values, name):
    return check_array(
        values,
        dtype=np.float64,
        ensure_2d=False,
        ensure_min_samples=0,
        input_name=name,
    )


@np.errstate(all="ignore")
def _survey(x, y, s):
    """Check a chunk, and return its Part."""
    X, y = valid_rows(x), _column(y, "y")
    rows = X.shape[0]
    if s is not None:
        s = _column(np.full(rows, s) if np.ndim(s) == 0 else s, "sample_weight")
        if s.ndim != 1:
            raise ValueError("Sample weights must be 1D array or scalar")
        if len(s) > 0:
            check_non_negative(s, "`sample_weight`")
    lengths = rows, len(y), rows if s is None else len(s)
    if len(set(lengths)) > 1:
        return Part(None, None, lengths)
    Y = np.array(y[None] if y.ndim == 1 else y.T, order="C")
    aside = Data(None, None, Y, s, unit=1.0)
    is_sparse = sparse.issparse(X)
    stored = X.nnz if is_sparse else X.size
    return Part(aside, _facts(aside, X.dtype, stored, is_sparse), lengths)


@np.errstate(all="ignore")
def _facts(aside, dtype, stored, is_sparse):
    n, rows = aside.n, aside.Y.shape[1]
    if n == 0:
        return Facts(rows, n, 0.0, 0.0, dtype, stored, is_sparse, [])
    largest, weight = 1.0, n
    if aside.s is not None:
        s = aside.s if aside.kept is None else aside.s[aside.kept]
        largest = s.max()
        weight = (s / largest).sum()
    # The mean of the weights is then 1, as that of all chunks will be.
    aside.unit = largest * (weight / n)
    targets = []
    for y in aside.Y:
        mean = aside.mean(y)
        targets.append(Target(mean, aside.mean_square(y, mean), *aside.range(y)))
    return Facts(rows, n, largest, weight, dtype, stored, is_sparse, targets)


def _held_out(part, held):
    aside, facts, lengths = part
    aside = Data(None, None, aside.Y, aside.s, held, unit=1.0)
    facts = _facts(aside, facts.dtype, facts.stored, facts.sparse)
    return Part(aside, facts, lengths)


def _known_of(part):
    return part.facts, part.lengths


@dataclass(frozen=True)
class Shared:
    """What all tasks of a pass are told; no tuple, which Dask might take for a task.

    Attributes
    ----------
    unit : float
        That of the weights.
    dtype : dtype
        That of X.
    args : object
    """

    unit: float
    dtype: np.dtype
    args: object


@dataclass(frozen=True)
class Luggage:
    """What travels in an epoch.

    Attributes
    ----------
    belongings : list of tuple
        (terms, rule, w, steps, mean) of each traveller.
    losses : ndarray of shape (k,)
        The sums of the losses of the rows, each just before its step.
    """

    belongings: list
    losses: np.ndarray


@np.errstate(all="ignore")
def _on_targets(function, part, shared, *more):
    """Return function(the chunk's Data without X, the shared arguments, …)."""
    aside = copy(part.aside)
    aside.unit = shared.unit
    return function(aside, shared.args, *more)


def _on_rows(function, x, part, shared, *more):
    """Return function(the chunk's Data, the shared arguments, …)."""

    def with_x(aside, args, *more):
        return function(with_rows(aside, valid_rows(x, shared.dtype)), args, *more)

    return _on_targets(with_x, part, shared, *more)


def _merged(merge, results):
    return reduce(merge, results)


def _added(one, other):
    if isinstance(one, tuple):
        return tuple(a + b for a, b in zip(one, other, strict=True))
    return one + other


def _loss_sums(data, args):
    loss, t, constant = args
    return data.loss_means(loss, data.Y[t], constant) * data.n


def _kept(data, _):
    return np.arange(data.n) if data.kept is None else data.kept


def _first_rows(data, _):
    return data.first_rows()


def _products(data, args):
    return data._products(*args)


def _curved_gram(data, point, v):
    return tuple(data.n * part for part in data.gram(v, point))


def _column_moments(data, _):
    return data.weights(_kept(data, None)).sum(), *data.column_moments()


def _used_columns(data, _):
    return data.used_columns()


def _every(data, _, which):
    """Return some rows that count, evenly spaced, with their targets and weights."""
    first, step = which
    where = _kept(data, None)[first::step]
    s = None if data.s is None else data.s[where]
    return data.X[where], data.Y[:, where], s


def _factor(data, args):
    target, center = args
    return data.factor(target, center)


def _merged_factors(one, other):
    return one.merge(other)


def _losses(data, args):
    terms, w = args
    return data.problem(terms).value(w) * data.n


def _values_and_gradients(data, args, curvatures=None):
    all_terms, points = args
    weights = None if curvatures is None else data.as_weights(curvatures)
    problems = [data.problem(terms, weights) for terms in all_terms]
    pairs = data.values_and_gradients(problems, points)
    return tuple(data.n * values for pair in pairs for values in pair)


def _curvatures(data, args):
    return data.curvatures(*args)


def _norms(data, args):
    terms, scale = args
    largest, squares = data.problem(terms).norms(scale)
    return largest, data.n * squares


def _merged_norms(one, other):
    return max(one[0], other[0]), one[1] + other[1]


def _leg(data, args, luggage):
    """Let the travellers visit this chunk: their luggage goes on to the next one."""
    batch, shuffle, seed, epoch = args
    # The task may be made again, if this worker is lost: nothing may be overwritten.
    luggage = deepcopy(luggage)
    travellers = [
        Traveller(data.problem(terms), *others) for terms, *others in luggage.belongings
    ]
    order = data.order(shuffle)
    order.begin(seed, epoch)
    losses = luggage.losses + data.n * data.visit(travellers, order, batch)
    all_terms = [terms for terms, *_ in luggage.belongings]
    return _packed(all_terms, travellers, losses)


def _packed(all_terms, travellers, losses):
    belongings = [
        (terms, t.rule, t.w, t.steps, t.mean)
        for terms, t in zip(all_terms, travellers, strict=True)
    ]
    return Luggage(belongings, losses)


# --- the chunks, as Data --------------------------------------------------------------


class Column(NamedTuple):
    """One of the targets, all of which stay where they are."""

    target: int


class Columns:
    """The targets, as a list of them."""

    def __init__(self, k, rows):
        self.shape = (k, rows)

    def __len__(self):
        return self.shape[0]

    def __iter__(self):
        return map(Column, range(len(self)))

    def __getitem__(self, target):
        return Column(target)


class Rows(NamedTuple):
    """What is known of X."""

    shape: tuple
    dtype: np.dtype
    nnz: int


class Chunk(NamedTuple):
    """A chunk whose rows are X, Part the rest; its first row is that of all rows."""

    x: object
    part: object
    facts: Facts
    first: int


class Chunks:
    """Overrides what a Data does with its rows by sums over chunks.

    Parameters
    ----------
    chunks : list of Chunk
    k, d : int
        The numbers of targets and columns.
    s : array-like or None
        The weights.
    """

    def __init__(self, chunks, k, d, s):
        self._chunks = chunks
        self.s = s
        facts = [chunk.facts for chunk in chunks]
        rows = sum(f.rows for f in facts)
        self.n = sum(f.n for f in facts)
        if self.n == 0:
            raise ValueError(
                "Sample weights must contain at least one non-zero number."
            )
        self.Y = Columns(k, rows)
        dtype = np.result_type(*(f.dtype for f in facts))
        self.X = Rows((rows, d), dtype, sum(f.stored for f in facts))
        largest = max(f.largest for f in facts)
        weights = [f.largest / largest * f.weight for f in facts if f.n > 0]
        weight = sum(weights)
        self.unit = 1.0 if s is None else unit_of(largest, weight, self.n)
        self._counting = [chunk for chunk in chunks if chunk.facts.n > 0]
        self._shares = np.array(weights) / weight
        self._targets = np.array([chunk.facts.targets for chunk in self._counting])

    # --- tasks ------------------------------------------------------------------------

    def _tasks(self, function, args, *more, aside=False):
        """Return a task for each chunk: function(its Data, args, …)."""
        dask = load_dask()
        shared = self._shared(args)
        tasks = []
        for i, chunk in enumerate(self._counting):
            others = [values[i] for values in more]
            if aside:
                call = dask.delayed(_on_targets, pure=False)
                tasks.append(call(function, chunk.part, shared, *others))
            else:
                call = dask.delayed(_on_rows, pure=False)
                tasks.append(call(function, chunk.x, chunk.part, shared, *others))
        return tasks

    def _shared(self, args):
        """Return the arguments of many tasks as one object, which travels once."""
        shared = Shared(self.unit, self.X.dtype, args)
        return load_dask().delayed(shared, traverse=False, pure=False)

    def _total(self, function, args, *more, aside=False, merge=_added):
        """Return the results for all chunks, merged on the way to here."""
        dask = load_dask()
        results = self._tasks(function, args, *more, aside=aside)
        while len(results) > 1:
            results = [
                dask.delayed(_merged, pure=False)(merge, results[i : i + FAN])
                for i in range(0, len(results), FAN)
            ]
        return dask.compute(results[0])[0]

    # --- rows -------------------------------------------------------------------------

    @property
    def kept(self):
        """The rows that count, None for all. That is a number for each row, here."""
        if all(chunk.facts.n == chunk.facts.rows for chunk in self._chunks):
            return None
        found = load_dask().compute(*self._tasks(_kept, None, aside=True))
        firsts = [chunk.first for chunk in self._counting]
        return np.concatenate([a + b for a, b in zip(firsts, found, strict=True)])

    def without(self, held):
        mask = np.zeros(self.Y.shape[1], dtype=bool)
        mask[held] = True
        dask = load_dask()
        parts = [
            dask.delayed(_held_out, pure=False)(
                chunk.part, mask[chunk.first : chunk.first + chunk.facts.rows]
            )
            for chunk in self._chunks
        ]
        xs = [chunk.x for chunk in self._chunks]
        parts = dask.persist(*parts)
        facts = [facts for facts, _ in _known(parts)]
        return _chunked(xs, parts, facts, len(self.Y), self.d, self.s)

    def order(self, shuffle):
        return ChunkOrder(len(self._counting), shuffle)

    def thinned(self, count):
        step = max(1, self.n // count)
        firsts, before = [], 0
        for chunk in self._counting:
            firsts.append((-before % step, step))
            before += chunk.facts.n
        dask = load_dask()
        tasks = self._tasks(_every, None, firsts)
        X, Y, s = zip(*dask.compute(*tasks), strict=True)
        stacked = sparse.vstack(X, format="csr") if self.is_sparse else np.vstack(X)
        weights = None if self.s is None else np.concatenate(s)
        return as_data(stacked, np.hstack(Y).T, weights)

    def sample(self, count):
        local = self.thinned(count)
        where = slice(None)
        return local._dense(where), local.weights(where)

    # --- sums over targets ------------------------------------------------------------

    def _target(self, y):
        """Return the Target of each chunk, as arrays."""
        return Target(*self._targets[:, y.target].T)

    def mean(self, y):
        return self._shares @ self._target(y).mean

    def mean_square(self, y, about=0.0):
        known = self._target(y)
        return self._shares @ (known.variance + (known.mean - about) ** 2)

    def range(self, y):
        known = self._target(y)
        return known.low.min(), known.high.max()

    def loss_means(self, loss, y, constant):
        if loss.is_quadratic:
            square = self.mean_square(y, constant)
            return np.array([0.5 * square, constant - self.mean(y), square])
        args = loss, y.target, constant
        return self._total(_loss_sums, args, aside=True) / self.n

    # --- sums over rows ---------------------------------------------------------------

    def first_rows(self):
        return load_dask().compute(self._tasks(_first_rows, None)[0])[0]

    def _products(self, point, offsets):
        return self._total(_products, (point, offsets))

    def gram(self, weights, point):
        total = self._total(_curved_gram, point, weights)
        return tuple(part / self.n for part in total)

    def column_moments(self):
        _, *found = self._total(_column_moments, None, merge=merged_moments)
        return found

    def used_columns(self):
        return self._total(_used_columns, None, merge=np.logical_or)

    def factor(self, target, center):
        return self._total(_factor, (target, center), merge=_merged_factors)

    def problem(self, terms, weights=None):
        return ChunkedProblem(self, terms, weights)

    def values_and_gradients(self, problems, points):
        args = [_without_penalty(problem.terms) for problem in problems], points
        weights = problems[0].weights
        more = [] if weights is None else [weights]
        sums = self._total(_values_and_gradients, args, *more)
        found = []
        for problem, w, F, g in zip(
            problems, points, sums[::2], sums[1::2], strict=True
        ):
            g, d = g / self.n, self.d
            found.append((F / self.n + problem.terms.penalty.at(w[:d], g[:d]), g))
        return found

    def curvatures(self, terms, w):
        """Return s ∂²ℓ/∂f² of each row that counts, where the row is."""
        return load_dask().persist(*self._tasks(_curvatures, (terms, w)))

    def as_weights(self, curvatures):
        return curvatures  # made where they are used

    # --- epochs -----------------------------------------------------------------------

    def visit(self, travellers, order, batch):
        """Let the travellers visit one chunk after the other, where it lies."""
        dask = load_dask()
        all_terms = [traveller.problem.terms for traveller in travellers]
        luggage = _packed(all_terms, travellers, np.zeros(len(travellers)))
        room = 0.0
        for i in order.sequence:
            chunk = self._counting[i]
            seed = order.seed + 1_000_003 * int(i)
            shared = self._shared((batch, order.shuffle, seed, order.epoch))
            # Dask would read all chunks at once while the first is visited.
            room += chunk.facts.stored * self.X.dtype.itemsize
            if room > AHEAD:
                luggage = dask.compute(luggage, traverse=False)[0]
                room = 0.0
            if isinstance(luggage, Luggage):
                luggage = dask.delayed(luggage, traverse=False, pure=False)
            luggage = dask.delayed(_on_rows, pure=False)(
                _leg, chunk.x, chunk.part, shared, luggage
            )
        luggage = dask.compute(luggage, traverse=False)[0]
        for traveller, (_, rule, w, steps, mean) in zip(
            travellers, luggage.belongings, strict=True
        ):
            traveller.rule.state = rule.state
            traveller.w[:] = w
            traveller.steps, traveller.mean = steps, mean
        return luggage.losses / self.n

    @property
    def nbytes(self):
        return self.X.nnz * self.X.dtype.itemsize


class DenseChunks(Chunks, Data):
    """Chunks of dense rows."""

    is_sparse = False


class SparseChunks(Chunks, SparseData):
    """Chunks of CSR rows."""

    is_sparse = True
    # Chunk by chunk that may differ: the products are centred in the end.
    _has_few_zeros = False


class ChunkOrder:
    """The order in which an epoch visits the chunks.

    Each of them draws that of its rows from the seed, the epoch and its number.
    """

    def __init__(self, count, shuffle):
        self.count = count
        self.shuffle = shuffle

    def begin(self, seed=0, epoch=0):
        self.seed, self.epoch = seed, epoch
        self.sequence = range(self.count)
        if self.shuffle:
            rng = np.random.default_rng([seed, epoch])
            self.sequence = rng.permutation(self.count)


class ChunkedProblem:
    """F over the rows of Chunks."""

    def __init__(self, data, terms, weights=None):
        self.data = data
        self.terms = terms
        self.weights = weights

    def value(self, w):
        """Return F(w), at w = 0 without reading X."""
        data, terms, d = self.data, self.terms, self.data.d
        penalty = terms.penalty.at(w[:d], np.zeros(d))
        if not w[:d].any():
            constant = terms.offset + (w[d] if terms.fit_intercept else 0.0)
            y = data.Y[terms.target]
            return float(data.loss_means(terms.loss, y, constant)[0]) + penalty
        total = data._total(_losses, (_without_penalty(terms), w))
        return total / data.n + penalty

    def norms(self, scale):
        args = _without_penalty(self.terms), scale
        largest, squares = self.data._total(_norms, args, merge=_merged_norms)
        return largest, squares / self.data.n


def _without_penalty(terms):
    return terms._replace(penalty=Penalty())


# --- from collections to chunks -------------------------------------------------------


def as_chunks(X, y, sample_weight=None):
    """Return the rows of a Dask collection as Chunks, or few of them in memory.

    Parameters
    ----------
    X : dask Array or DataFrame of shape (n, d)
        In any chunks, of known sizes or not.
    y : Dask collection or array-like of shape (n,) or (n, k)
    sample_weight : Dask collection or array-like of shape (n,), default=None

    Returns
    -------
    data : Chunks, or tuple (X, y, sample_weight) in memory
        The latter where X is so small that computing elsewhere is no use.
    """
    d = stand_in(X).shape[1]
    xs, sizes = blocks_of(X), sizes_of(X)
    others = {"y": y}
    if np.ndim(sample_weight) > 0:
        others["s"] = sample_weight
    blocks = {
        name: aligned(values, xs, sizes, sizes_of(values))
        for name, values in others.items()
    }
    parts, known = _surveyed(xs, blocks, sample_weight)
    if any(facts is None for facts, _ in known):
        # Chunks of unknown size do not fit each other, but now their sizes are known.
        x_sizes, y_sizes, s_sizes = zip(*(lengths for _, lengths in known), strict=True)
        own = {"y": y_sizes, "s": s_sizes}
        blocks = {
            name: aligned(values, xs, x_sizes, own[name])
            for name, values in others.items()
        }
        parts, known = _surveyed(xs, blocks, sample_weight)
    k = 1 if np.ndim(y) == 1 else np.shape(y)[1]
    data = _chunked(xs, parts, [facts for facts, _ in known], k, d, sample_weight)
    if data.Y.shape[1] * d <= FEW_VALUES:
        return tuple(map(collected, (X, y, sample_weight)))
    return data


def _surveyed(xs, blocks, sample_weight):
    dask = load_dask()
    ss = blocks.get("s", [sample_weight] * len(xs))
    survey = dask.delayed(_survey, pure=False)
    parts = [survey(*block) for block in zip(xs, blocks["y"], ss, strict=True)]
    parts = dask.persist(*parts)
    return parts, _known(parts)


def _known(parts):
    """Return (facts, lengths) of each of these parts."""
    dask = load_dask()
    return dask.compute(*map(dask.delayed(_known_of, pure=False), parts))


def _chunked(xs, parts, facts, k, d, s):
    """Return the Chunks of blocks whose parts are with the workers."""
    firsts = np.cumsum([0, *(f.rows for f in facts)])
    if firsts[-1] == 0:
        raise ValueError(
            f"Found array with 0 sample(s) (shape=(0, {d})) while a minimum of 1 is "
            "required."
        )
    kind = SparseChunks if any(f.sparse for f in facts) else DenseChunks
    chunks = list(map(Chunk, xs, parts, facts, firsts[:-1].tolist()))
    return kind(chunks, k, d, s)
