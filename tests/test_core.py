"""The compiled room: rows, losses, penalties, and the loop over rows."""

import signal

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy import sparse
from scipy.optimize import check_grad
from sklearn_gd._core.epoch import Mean, Problem, Steps
from sklearn_gd._core.losses import LOSSES
from sklearn_gd._core.order import Order
from sklearn_gd._core.penalties import PENALTIES
from sklearn_gd._core.penalties import penalty as make_penalty
from sklearn_gd._core.rows import CSRRows, DenseRows
from sklearn_gd._core.rules import AdaGrad, Descent, Momentum, RMSprop


def wide(X):
    X.indices, X.indptr = X.indices.astype(np.int64), X.indptr.astype(np.int64)
    return X


ROWS = {
    "dense64": lambda X: DenseRows(X),
    "dense32": lambda X: DenseRows(X.astype(np.float32)),
    "csr64": lambda X: CSRRows(sparse.csr_array(X)),
    "csr32": lambda X: CSRRows(sparse.csr_array(X.astype(np.float32))),
    "wide64": lambda X: CSRRows(wide(sparse.csr_array(X))),
    "wide32": lambda X: CSRRows(wide(sparse.csr_array(X.astype(np.float32)))),
}


def table(n=40, d=6, seed=0):
    rng = np.random.default_rng(seed)
    # Exact in float32, with zeros and one empty row.
    X = np.round(8 * rng.normal(size=(n, d))) / 8 * (rng.random((n, d)) < 0.5)
    X[3] = 0.0
    s = rng.uniform(0.5, 2.0, n)
    s[5] = 0.0
    return X, rng.normal(size=n), s * (n - 1) / s.sum()


def problem(kind="dense64", intercept=True, alpha=0.0, data=None):
    X, y, s = data or table()
    penalty = make_penalty("l2", alpha)
    loss = LOSSES["squared_error"]()
    return Problem(
        ROWS[kind](X), y, loss, penalty, intercept, s=s, kept=np.flatnonzero(s)
    )


def visiting(*rows):
    """Return the order that visits these rows as they are given."""
    return Order(len(rows), 1, np.array(rows), shuffle=False)


def by_hand(w, X, y, s, alpha):
    d = X.shape[1]
    r = X @ w[:d] + (w[d] if len(w) > d else 0.0) - y
    n = np.count_nonzero(s)
    g = X.T @ (s * r) / n + alpha * w[:d]
    if len(w) > d:
        g = np.append(g, s @ r / n)
    return 0.5 * s @ r**2 / n + 0.5 * alpha * w[:d] @ w[:d], g


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("alpha", [0.0, 0.3])
def test_value_and_gradient(kind, intercept, alpha):
    X, y, s = table()
    w = np.random.default_rng(1).normal(size=6 + intercept)
    g = np.full(len(w), np.nan)
    p = problem(kind, intercept, alpha)
    F = p.value_and_gradient(w, g)
    value, gradient = by_hand(w, X, y, s, alpha)
    assert_allclose(F, value, rtol=1e-13)
    assert_allclose(p.value(w), value, rtol=1e-13)
    assert_allclose(g, gradient, rtol=1e-12, atol=1e-14)


@pytest.mark.parametrize("kind", ["dense64", "dense32"])
@pytest.mark.parametrize("d", [*range(1, 10), 47, 48, 97, 1100])
def test_rows_of_any_width(kind, d):
    X, y, s = table(n=39, d=d)
    w = np.random.default_rng(1).normal(size=d)
    # Nothing behind g may be written.
    room = np.full(d + 4, 7.0)
    p = problem(kind, intercept=False, data=(X, y, s))
    F = p.value_and_gradient(w, room[:d])
    value, gradient = by_hand(w, X, y, s, 0.0)
    assert_allclose(F, value, rtol=1e-12)
    assert_allclose(room[:d], gradient, rtol=1e-11, atol=1e-12)
    assert_array_equal(room[d:], 7.0)


@pytest.mark.parametrize("kind", ROWS)
@pytest.mark.parametrize("intercept", [True, False])
def test_norms(kind, intercept):
    X, _, s = table()
    scale = np.linspace(0.5, 3.0, 6 + intercept)
    largest, squares = problem(kind, intercept).norms(scale)
    norms = s * (X**2 @ scale[:6] + (scale[6] if intercept else 0.0))
    assert_allclose(largest, norms.max(), rtol=1e-14)
    assert_allclose(squares, s @ X**2 / np.count_nonzero(s), rtol=1e-13)


def test_norms_past_any_number():
    X, y, s = table()
    X[7, 2] = 1e200
    for scale in (np.ones(7), np.zeros(7)):
        largest, squares = problem(data=(X, y, s)).norms(scale)
        assert largest == np.inf
        assert squares[2] == np.inf


@pytest.mark.parametrize("name", LOSSES)
def test_losses_by_finite_differences(name):
    loss = LOSSES[name]()
    for y in np.linspace(-2, 2, 7):
        for f in np.linspace(-3, 3, 11):
            (below, _), (above, _) = loss.at(y, f - 1e-5), loss.at(y, f + 1e-5)
            value, derivative = loss.at(y, f)
            assert_allclose(derivative, (above - below) / 2e-5, atol=1e-8)
            assert value >= 0.0


@pytest.mark.parametrize("name", PENALTIES)
def test_penalties_by_finite_differences(name):
    penalty = make_penalty(name, 0.7)

    def gradient(w):
        g = np.zeros(4)
        penalty.at(w, g)
        return penalty.subgradient(w, g)

    w = np.random.default_rng(0).normal(size=4)
    assert check_grad(lambda w: penalty.at(w, np.zeros(4)), gradient, w) < 1e-6


@pytest.mark.parametrize(
    "kind", [kind for kind in ROWS if not kind.startswith("dense")]
)
@pytest.mark.parametrize("alpha", [0.0, 0.05, 2.0])
@pytest.mark.parametrize("eta", [0.01, 0.5, 3.0])
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("intercept", [True, False])
@pytest.mark.parametrize("average", [True, False])
def test_sparse_descent_is_plain_descent(kind, alpha, eta, batch, intercept, average):
    # eta · alpha = 1 empties w, above 2 it makes w change sign and grow: the scaled
    # weights must survive both.
    order = np.random.default_rng(2).permutation(40)
    results = []
    for one in ("dense64", kind):
        w = np.full(6 + intercept, 0.3)
        mean = Mean(len(w), average)
        steps = Steps(eta / 20, 0.25)
        total = problem(one, intercept, 20 * alpha).epoch(
            Descent(len(w)), w, visiting(*order), batch, steps, mean
        )
        results.append((total, w, np.array(mean.w), steps.made, steps.last))
    plain, scaled = results
    for a, b in zip(plain, scaled, strict=True):
        assert_allclose(b, a, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("kind", [kind for kind in ROWS if "dense" not in kind])
@pytest.mark.parametrize("name", ["l1", "elasticnet", None])
@pytest.mark.parametrize("positive", [True, False])
@pytest.mark.parametrize(("eta", "power"), [(0.02, 0.25), (3.0, 0.0)])
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("average", [True, False])
def test_sparse_proxes_are_plain_proxes(
    kind, name, positive, eta, power, batch, average
):
    # So many steps that all debts are paid on the way; eta = 3 makes 1 - eta l2 < 0.
    rng = np.random.default_rng(3)
    X = np.round(8 * rng.normal(size=(40, 6))) / 8 * (rng.random((40, 6)) < 0.2)
    X[:, 0], X[:, 5] = 0.0, 0.0
    X[[2, 30], 0] = 1.0
    X /= 4.0
    y, s = rng.normal(size=40), rng.uniform(0.5, 2.0, 40)
    penalty = make_penalty(name, 0.6, positive=positive)
    order = rng.integers(40, size=1100 * batch)
    results = []
    for one in ("dense64", kind):
        rule, w, mean = Descent(6), np.linspace(-0.5, 0.6, 6), Mean(6, average)
        rule.end_with_prox(penalty, 6)
        p = Problem(ROWS[one](X), y, LOSSES["huber"](1.0), penalty, False, s=s)
        steps = Steps(eta, power)
        total = p.epoch(rule, w, visiting(*order), batch, steps, mean)
        results.append((total, w, mean.w, w == 0.0))
    for a, b in zip(*results, strict=True):
        assert_allclose(b, a, rtol=1e-9, atol=1e-12)


@pytest.mark.parametrize("rule", [Momentum, AdaGrad, RMSprop])
@pytest.mark.parametrize("kind", [kind for kind in ROWS if "dense" not in kind])
@pytest.mark.parametrize("power", [0.0, 0.25])
@pytest.mark.parametrize("batch", [1, 7])
@pytest.mark.parametrize("average", [True, False])
@pytest.mark.parametrize("whole", [0, 7])
def test_lazy_steps_are_plain_steps(rule, kind, power, batch, average, whole):
    rng = np.random.default_rng(3)
    # The first column is in few rows, the last in none.
    X = np.round(8 * rng.normal(size=(40, 6))) / 8 * (rng.random((40, 6)) < 0.2)
    X[:, 0] = 0.0
    X[[2, 30], 0] = 1.0
    X[:, 5] = 0.0
    data = X, rng.normal(size=40), rng.uniform(0.5, 2.0, 40)
    order = rng.permutation(40)
    results = []
    for one in ("dense64", kind):
        p, w, mean = problem(one, data=data), np.full(7, 0.3), Mean(7, average)
        made = rule(7)
        if rule is Momentum:
            made.m = np.full(7, 0.2)  # what an earlier epoch has left
        for _ in range(2):
            steps = Steps(0.05, power, batch=whole)
            total = p.epoch(made, w, visiting(*order), batch, steps, mean)
        results.append((total, w, mean.w, steps.made, *made.state.values()))
    for a, b in zip(*results, strict=True):
        assert_allclose(b, a, rtol=1e-10, atol=1e-13)


def test_a_column_absent_for_thousands_of_steps():
    n = 3000
    X = np.zeros((n, 2))
    X[:, 0], X[[0, n - 1], 1] = 1.0, 1.0
    data = X, np.ones(n), np.ones(n)
    results = []
    for kind in ("dense64", "csr64"):
        w, mean = np.zeros(3), Mean(3, True)
        p = problem(kind, data=data)
        p.epoch(Momentum(3), w, visiting(*range(n)), 1, Steps(1e-3), mean)
        results.append((w, mean.w))
    assert_allclose(results[1], results[0], rtol=1e-10)


@pytest.mark.parametrize("rule", [Descent, Momentum, AdaGrad, RMSprop])
@pytest.mark.parametrize("kind", ROWS)
def test_mean_is_the_mean_of_the_iterates(rule, kind):
    order = np.arange(40)
    p = problem(kind, alpha=0.1)
    w, mean = np.zeros(7), Mean(7, True)
    p.epoch(rule(7), w, visiting(*order), 8, Steps(0.01), mean)
    v, one, iterates, steps = np.zeros(7), rule(7), [], Steps(0.01)
    for first in range(0, 40, 8):
        rows = visiting(*order[first : first + 8])
        p.epoch(one, v, rows, 8, steps, Mean(7, False))
        iterates.append(v.copy())
    assert_allclose(v, w, rtol=1e-12)
    assert_allclose(mean.w, np.mean(iterates, axis=0), rtol=1e-11)


def test_steps():
    steps = Steps(2.0, 0.5, made=3)
    assert steps.advance() == 1.0  # 2 / √4
    assert (steps.made, steps.last) == (4, 1.0)
    assert Steps(2.0).advance() == 2.0


def test_rows_outside_are_refused():
    with pytest.raises(ValueError, match="outside"):
        problem().epoch(
            Descent(7), np.zeros(7), visiting(0, 40), 1, Steps(0.1), Mean(7, False)
        )
    with pytest.raises(ValueError, match="row numbers"):
        visiting(-1, 0)
    X, y, _ = table()
    for kept in ([0, 40], [-1], []):
        kept = np.array(kept, dtype=np.intp)
        with pytest.raises(ValueError, match="outside"):
            Problem(DenseRows(X), y, LOSSES["squared_error"](), None, True, kept=kept)


def test_wrong_lengths_are_refused():
    p = problem()
    with pytest.raises(ValueError, match="7 coordinates"):
        p.value(np.zeros(6))
    with pytest.raises(ValueError, match="7 coordinates"):
        p.value_and_gradient(np.zeros(7), np.zeros(6))
    with pytest.raises(ValueError, match="rule"):
        p.epoch(Descent(6), np.zeros(7), visiting(1), 1, Steps(0.1), Mean(7, False))
    with pytest.raises(ValueError, match="7 coordinates"):
        p.epoch(Descent(7), np.zeros(7), visiting(1), 1, Steps(0.1), Mean(6, False))
    X, y, s = table()
    with pytest.raises(ValueError, match="one value a row"):
        problem(data=(X, y[:-1], s))


def test_arrays_are_read_only_to_the_loop():
    X, y, s = table()
    for array in (X, y, s):
        array.flags.writeable = False
    w = np.zeros(7)
    problem(data=(X, y, s)).epoch(
        Descent(7), w, visiting(*range(40)), 1, Steps(0.01), Mean(7, False)
    )
    assert_array_equal(X, table()[0])
    assert w.any()


def test_control_c_reaches_the_loop():
    def interrupt(*_):
        raise KeyboardInterrupt

    n, d = 100, 4096
    rows, loss = DenseRows(np.zeros((n, d))), LOSSES["squared_error"]()
    p = Problem(rows, np.zeros(n), loss, make_penalty(None, 0.0), False)
    order = Order(n * 20_000, d, np.tile(np.arange(n), 20_000))  # a minute's work
    before = signal.signal(signal.SIGALRM, interrupt)
    signal.setitimer(signal.ITIMER_REAL, 0.1)
    try:
        with pytest.raises(KeyboardInterrupt):
            p.epoch(Descent(d), np.zeros(d), order, 1, Steps(0.1), Mean(d, False))
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0.0)
        signal.signal(signal.SIGALRM, before)
