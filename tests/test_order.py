"""The order of the rows: what a tile shuffle is, and that it learns as well."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from sklearn_gd._core.epoch import Mean, Problem, Steps
from sklearn_gd._core.losses import LOSSES
from sklearn_gd._core.order import Order
from sklearn_gd._core.penalties import penalty as make_penalty
from sklearn_gd._core.rows import DenseRows
from sklearn_gd._core.rules import Descent

from sklearn_gd import GDRegressor


def rows(order, seed=0, epoch=0):
    order.begin(seed, epoch)
    return order.left()


@pytest.mark.parametrize("n", [1, 31, 32, 33, 3200, 3201, 10_007])
@pytest.mark.parametrize("d", [1, 100])
@pytest.mark.parametrize("shuffle", [True, False])
def test_every_row_once(n, d, shuffle):
    order = Order(n, d, shuffle=shuffle)
    for epoch in range(2):
        assert_array_equal(np.sort(rows(order, 3, epoch)), np.arange(n))
    if not shuffle:
        assert_array_equal(rows(order), np.arange(n))


def test_orders_are_drawn_from_seed_and_epoch_alone():
    order = Order(10_007, 100)
    first = rows(order, 1, 0)
    other_epoch, other_seed = rows(order, 1, 1), rows(order, 2, 0)
    assert np.mean(first == other_epoch) < 0.01
    assert np.mean(first == other_seed) < 0.01
    # Neither what came before nor how rows are stored matters.
    assert_array_equal(rows(order, 1, 0), first)
    assert_array_equal(rows(Order(10_007, 100, stored=3), 1, 0), first)


def test_rows_that_count_are_visited_as_if_alone():
    kept = np.flatnonzero(np.arange(20_000) % 3)
    assert_array_equal(
        rows(Order(len(kept), 50, kept)), kept[rows(Order(len(kept), 50))]
    )


def test_a_small_x_is_permuted_uniformly():
    n, seeds = 6400, 400
    orders = np.array([rows(Order(n, 20), seed) for seed in range(seeds)])
    # The place of a row, and how far apart two neighbours are, are uniform.
    places = np.argsort(orders, axis=1)
    sigma = n / np.sqrt(12 * seeds)
    assert np.abs(places[:, ::640].mean(axis=0) - n / 2).max() < 4 * sigma
    apart = np.abs(places[:, 0] - places[:, 1])
    assert abs(apart.mean() - n / 3) < 4 * n / np.sqrt(18 * seeds)


def test_a_large_x_is_permuted_by_tiles():
    order = rows(Order(320_000, 10))
    group = order[:3200]
    tiles, counts = np.unique(group // 16, return_counts=True)
    assert len(tiles) == 200
    assert (counts == 16).all()
    # The tiles come from everywhere, and within the group nothing is left of them.
    assert tiles.min() < 1000
    assert tiles.max() > 19_000
    assert np.mean(np.diff(group) == 1) < 0.01


@pytest.mark.parametrize("sort", ["not at all", "by y", "by a column"])
def test_a_tile_shuffle_learns_as_much_as_a_uniform_one(sort):
    # The excess of F at the end of an epoch, mean of 20 seeds and three epochs.
    n, d, seeds = 50_000, 50, 20
    rng = np.random.default_rng(0)
    X = rng.normal(size=(n, d))
    y = X @ rng.normal(size=d) + rng.normal(size=n)
    keys = {"not at all": np.arange(n), "by y": y, "by a column": X[:, 0]}
    at = np.argsort(keys[sort], kind="stable")
    X, y = X[at], y[at]
    best = np.mean((y - X @ np.linalg.lstsq(X, y)[0]) ** 2) / 2
    problem = Problem(
        DenseRows(X), y, LOSSES["squared_error"](), make_penalty(None, 0.0), False
    )

    def excess(orders):
        total = 0.0
        for seed in range(seeds):
            w = np.zeros(d)
            for epoch in range(3):
                order = orders(seed, epoch)
                problem.epoch(Descent(d), w, order, 1, Steps(1e-3), Mean(d, False))
                total += problem.value(w) - best
        return total

    def uniform(seed, epoch):
        permutation = np.random.default_rng([seed, epoch]).permutation(n)
        return Order(n, d, permutation, shuffle=False)

    def begun(order):
        def orders(seed, epoch):
            order.begin(seed, epoch)
            return order

        return orders

    expected = excess(uniform)
    assert excess(begun(Order(n, d))) <= 1.2 * expected
    # Of a file: as many blocks are mixed as by default, 3 mixtures of 17,000 rows.
    blocks = excess(begun(Order(n, d, large=0, block=32 * d)))
    assert blocks <= 1.5 * expected
    if sort == "by y":

        def one_by_one(seed, epoch):
            rng = np.random.default_rng([seed, epoch])
            rows = rng.permutation(n // 2500)[:, None] * 2500 + np.arange(2500)
            return Order(n, d, rng.permuted(rows, axis=1).ravel(), shuffle=False)

        assert excess(one_by_one) > 4.0 * blocks


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.ConvergenceWarning")
@pytest.mark.parametrize("solver", ["sgd", "minibatch"])
def test_a_fit_visits_the_rows_in_tiles(solver):
    X = np.random.default_rng(0).normal(size=(30_000, 10))
    y = X.sum(axis=1) + X[:, 0] ** 2
    model = GDRegressor(solver, learning_rate=1e-3, max_iter=1, random_state=0)
    one, two = model.fit(X, y).coef_, model.fit(X, y).coef_.copy()
    assert_array_equal(one, two)
    assert (one != model.set_params(random_state=1).fit(X, y).coef_).all()
