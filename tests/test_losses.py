"""Losses and penalties by their definitions: slopes, kinks, smoothing, prox."""

from itertools import product

import convex
import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from scipy.optimize import minimize_scalar
from sklearn_gd._core.losses import LOSSES
from sklearn_gd._core.penalties import PENALTIES, penalty

VALUES = {"epsilon": [0.25, 1.35, 30.0], "quantile": [0.05, 0.3, 0.5, 0.9]}
# Where ℓ′ jumps, as r = f − y, and its values on the left and on the right.
JUMPS = {
    "absolute_error": lambda loss: [(0.0, -1.0, 1.0)],
    "quantile": lambda loss: [(0.0, -loss.quantile, 1.0 - loss.quantile)],
    "epsilon_insensitive": lambda loss: [
        (-loss.epsilon, -1.0, 0.0),
        (loss.epsilon, 0.0, 1.0),
    ],
}
# Where ℓ″ does, and its values there.
BENDS = {
    "huber": lambda loss: [(-loss.epsilon, 0.0, 1.0), (loss.epsilon, 1.0, 0.0)],
    "squared_epsilon_insensitive": lambda loss: [
        (-loss.epsilon, 2.0, 0.0),
        (loss.epsilon, 0.0, 2.0),
    ],
}
PLACES = [0.0, -3.0, 0.1]  # of y
# A grid of r that no jump is on.
GRID = np.linspace(-40.0, 40.0, 997) + 1e-3


def losses(names=LOSSES):
    """Every loss at some values of its parameter."""
    found = []
    for name in names:
        kind = LOSSES[name]
        for values in product(*(VALUES[p] for p in kind.parameters)):
            given = dict(zip(kind.parameters, values, strict=True))
            text = "-".join([name, *map(str, values)])
            found.append(pytest.param(name, kind(**given), id=text))
    return found


KINKED = [name for name in LOSSES if not LOSSES[name].has_second]
every_loss = pytest.mark.parametrize(("name", "loss"), losses())
kinked_losses = pytest.mark.parametrize(("name", "loss"), losses(KINKED))


def derivatives(loss, y, f):
    return np.array([loss.at(y, at)[1] for at in f])


def values(loss, y, f):
    return np.array([loss.at(y, at)[0] for at in f])


# --- losses ---------------------------------------------------------------------------


@every_loss
def test_the_value_is_its_definition(name, loss):
    parameters = getattr(loss, "epsilon", 0.0), getattr(loss, "quantile", 0.5)
    for y in PLACES:
        f = y + GRID
        found = values(loss, y, f)
        assert (found >= 0.0).all()
        assert loss.at(y, y)[0] == 0.0
        if name in convex.ALL:
            expected = convex.value(y - f, name, *parameters)
            assert_allclose(found, expected, rtol=1e-12, atol=1e-15)


@every_loss
def test_derivatives_by_finite_differences(name, loss):
    h, jumps = 1e-4, [r for r, *_ in JUMPS.get(name, lambda _: [])(loss)]
    bends = [r for r, *_ in BENDS.get(name, lambda _: [])(loss)]
    for y in PLACES:
        r = GRID[[np.all(np.abs(at - np.array(jumps + bends)) > 2 * h) for at in GRID]]
        assert len(r) > 900
        f = y + r
        slopes = (values(loss, y, f + h) - values(loss, y, f - h)) / (2 * h)
        assert_allclose(derivatives(loss, y, f), slopes, rtol=1e-7, atol=1e-8)
        if loss.has_second:
            rises = derivatives(loss, y, f + h) - derivatives(loss, y, f - h)
            second = loss.seconds(np.full(len(f), y), f)
            assert_allclose(second, rises / (2 * h), rtol=1e-7, atol=1e-8)


@every_loss
def test_both_sides_of_every_kink(name, loss):
    d = 1e-9
    for y in PLACES:
        for r, left, right in JUMPS.get(name, lambda _: [])(loss):
            below, at, above = derivatives(loss, y, [y + r - d, y + r, y + r + d])
            assert_allclose([below, above], [left, right], rtol=1e-12, atol=1e-15)
            assert left <= at <= right  # a subgradient
            sides = values(loss, y, [y + r - d, y + r, y + r + d])
            assert_allclose(sides, sides[1], atol=2 * d)
        for r, left, right in BENDS.get(name, lambda _: [])(loss):
            f = np.array([y + r - d, y + r, y + r + d])
            below, at, above = loss.seconds(np.full(3, y), f)
            assert (below, above) == (left, right)
            assert at in (left, right)
            assert_allclose(np.diff(derivatives(loss, y, f)), 0.0, atol=3 * d)


@kinked_losses
def test_every_loss_without_second_derivative_has_its_kinks_here(name, loss):
    assert name in JUMPS
    assert loss.curvature == np.inf


@every_loss
def test_losses_are_convex_and_know_their_steepest_slope(name, loss):
    """A step of 1/curvature is safe, a longer one need not be."""
    edges = [
        r + sign * 1e-7
        for table in (JUMPS, BENDS)
        for r, *_ in table.get(name, lambda _: [])(loss)
        for sign in (-1, 1)
    ]
    r = np.unique(np.concatenate([np.linspace(-40.0, 40.0, 8001), edges]))
    for width in (0.0, 0.1, 2.0) if name in KINKED else (0.0,):
        loss.width = width
        rises = np.diff(derivatives(loss, 0.0, r)) / np.diff(r)
        assert rises.min() >= -1e-9
        if np.isinf(loss.curvature):
            assert rises.max() > 1e5
        else:
            assert_allclose(rises.max(), loss.curvature, rtol=1e-6)
    loss.width = 0.0


@every_loss
def test_nothing_hides_a_nan(name, loss):
    for y, f in [(0.0, np.nan), (np.nan, 0.0)]:
        assert np.isnan(loss.at(y, f)).all()


@every_loss
def test_only_the_residual_matters(name, loss):
    """``Loss.descend`` gives it y = 0 and f = −(y − f)."""
    y, r = np.array([-7.0, 0.5, 1024.0]), np.array([-4.0, -1.0, 0.0, 0.125, 64.0])
    for target, residual in product(y, r):
        assert loss.at(target, target + residual) == loss.at(0.0, residual)


@every_loss
def test_sums_over_rows(name, loss):
    rng = np.random.default_rng(0)
    y, f, s = rng.normal(size=50), 3.0 * rng.normal(size=50), rng.uniform(size=50)
    pairs = np.array([loss.at(*pair) for pair in zip(y, f, strict=True)]).T
    expected = s @ pairs[0], s @ pairs[1], s @ pairs[1] ** 2
    assert_allclose(loss.sums(y, f, s), expected, rtol=1e-12)


# --- kinks that are smoothed ----------------------------------------------------------


@kinked_losses
@pytest.mark.parametrize("width", [0.1, 1.0, 5.0])
def test_smoothing_is_the_moreau_envelope(name, loss, width):
    steepest = max(abs(end) for _, *ends in JUMPS[name](loss) for end in ends)
    y, jumps = 0.7, [r for r, *_ in JUMPS[name](loss)]
    plain = type(loss)(**{p: getattr(loss, p) for p in loss.parameters})
    loss.width = width
    near = [r + width * share for r in jumps for share in np.linspace(-1.3, 1.3, 28)]
    for r in [*near, -60.0, 60.0]:
        f = y + r

        def envelope(u, f=f):
            return plain.at(y, u)[0] + (u - f) ** 2 / (2 * width)

        reach = 1.01 * width * steepest
        found = minimize_scalar(
            envelope, bounds=(f - reach, f + reach), options={"xatol": 1e-10}
        )
        value, slope = loss.at(y, f)
        assert value == plain.at(y, f)[0]
        assert_allclose(slope, (f - found.x) / width, atol=1e-5)
        low, high = found.fun, found.fun + width * steepest**2 / 2
        assert low - 1e-9 <= value <= high + 1e-9
    loss.width = 0.0


@every_loss
def test_losses_begin_without_smoothing(name, loss):
    assert LOSSES[name]().width == 0.0


# --- penalties ------------------------------------------------------------------------

every_penalty = pytest.mark.parametrize(
    ("name", "l1_ratio", "positive"),
    list(product(PENALTIES, [0.0, 0.15, 1.0], [False, True])),
)


def shares(name, l1_ratio):
    l1 = {"l1": 1.0, "elasticnet": l1_ratio}.get(name, 0.0)
    l2 = {"l2": 1.0, "elasticnet": 1.0 - l1_ratio}.get(name, 0.0)
    return 0.7 * l1, 0.7 * l2


@every_penalty
def test_the_proximal_step_is_its_definition(name, l1_ratio, positive):
    known = penalty(name, 0.7, l1_ratio, positive)
    l1, _ = shares(name, l1_ratio)
    w = np.concatenate([np.linspace(-3.0, 3.0, 61), [1e-9, -1e-9, 0.0]])
    for eta in (0.0, 0.1, 1.0, 4.0):
        found = known.proximal(w, np.full(len(w), eta))
        for at, v in zip(w, found, strict=True):

            def cost(u, at=at, eta=eta):
                return 0.5 * (u - at) ** 2 + eta * l1 * abs(u)

            low = 0.0 if positive else -4.0
            assert v >= low
            grid = np.append(np.linspace(low, 4.0, 2001), v)
            assert cost(v) <= min(map(cost, grid)) + 1e-15
            best = minimize_scalar(cost, bounds=(low, 4.0), options={"xatol": 1e-10}).x
            assert_allclose(v, best, atol=1e-6)
        # Not nearly 0, but 0.
        inside = np.abs(w) <= eta * l1
        assert_array_equal(found[inside], 0.0)
        if positive:
            assert_array_equal(found[w <= eta * l1], 0.0)


@every_penalty
def test_each_coordinate_has_a_step_of_its_own(name, l1_ratio, positive):
    known = penalty(name, 0.7, l1_ratio, positive)
    rng = np.random.default_rng(0)
    w, eta = rng.normal(size=30), rng.uniform(0.0, 3.0, size=30)
    one = [known.proximal(w[[j]], eta[[j]])[0] for j in range(30)]
    assert_array_equal(known.proximal(w, eta), one)


@every_penalty
def test_the_value_of_a_penalty_and_its_smooth_part(name, l1_ratio, positive):
    known = penalty(name, 0.7, l1_ratio, positive)
    l1, l2 = shares(name, l1_ratio)
    w, g = np.random.default_rng(0).normal(size=9), np.ones(9)
    value = known.at(w, g)
    assert_allclose(value, l1 * np.abs(w).sum() + 0.5 * l2 * w @ w, rtol=1e-14)
    assert_allclose(g, 1.0 + l2 * w, rtol=1e-14)
    assert known.is_smooth == (l1 == 0.0 and not positive)


@every_penalty
def test_the_least_subgradient_is_the_one_nearest_to_zero(name, l1_ratio, positive):
    known = penalty(name, 0.7, l1_ratio, positive)
    l1, _ = shares(name, l1_ratio)
    g = np.linspace(-2.0, 2.0, 41)
    for at in (0.0, 1.3) if positive else (0.0, 1.3, -1.3):
        found = known.subgradient(np.full(41, at), g)
        slopes = np.linspace(-l1, l1, 20_001) if at == 0.0 else [np.sign(at) * l1]
        if positive and at == 0.0:  # the bound adds everything below
            slopes = np.append(slopes, np.linspace(-5.0, -l1, 20_001))
        every = g[:, None] + np.asarray(slopes)
        least = every[np.arange(41), np.abs(every).argmin(axis=1)]
        assert_allclose(found, least, atol=3e-4)
    # Nothing is penalised beyond the coefficients.
    assert_array_equal(known.subgradient(np.zeros(1), np.array([0.0, 5.0]))[1], 5.0)
