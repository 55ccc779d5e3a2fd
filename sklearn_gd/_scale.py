"""The scale of the residuals of a robust fit, which ``epsilon="auto"`` is made of."""

import numpy as np

from sklearn_gd._core.losses import AbsoluteError, Huber
from sklearn_gd._core.penalties import Penalty
from sklearn_gd._core.rules import Descent, Momentum
from sklearn_gd._geometry import round_up
from sklearn_gd._objective import Objective, best_constant
from sklearn_gd._solver import minimize
from sklearn_gd._state import State, Stopping
from sklearn_gd._steps import Damped, Lipschitz, Restarting, Unit
from sklearn_gd._walks import AllRows

# A normal distribution's deviation over its median absolute deviation.
NORMAL = 1.4826
# Rows, in all and for each column, that tell the scale: more would cost too much.
ROWS, ROWS_A_COLUMN = 5000, 20
# The scale is at least this part of that about the best constant, so that rows which
# can be interpolated do not make a loss without a middle.
LEAST = 0.01


def robust_scale(data, target, fit_intercept):
    """Return 1.4826 times the median absolute residual of Huber's fit.

    Its threshold is 1.35 such scales about the median (Huber 1981, §7.7). It is a fit
    by newton, which no scaling of the columns can hurt, unless they are too many.
    """
    data = data.thinned(max(ROWS, ROWS_A_COLUMN * data.d))
    y = data.Y[target]
    constant = best_constant(data, AbsoluteError(), y) if fit_intercept else 0.0
    kept = slice(None) if data.kept is None else data.kept
    y, s = y[kept], data.weights(kept)
    first = NORMAL * _median(np.abs(y - constant), s)
    if first == 0.0:  # more than half of y is one number
        first = NORMAL * np.average(np.abs(y - constant), weights=s)
    if first == 0.0:
        return float(np.max(np.abs(y))) or 1.0
    objective = Objective(
        data, Huber(1.35 * first), Penalty(), fit_intercept, target=target
    )
    if objective.geometry.few_columns:
        walk, policy, rule = AllRows(second_order=True), Damped(Unit()), Descent
    else:
        walk, policy, rule = AllRows(), Restarting(Lipschitz()), Momentum
    state = State(
        objective,
        rule(objective.size),
        walk,
        policy,
        Stopping(max_iter=20 if walk.second_order else 100),
        np.zeros(objective.size),
    )
    (result,) = minimize([state])
    residuals = y - objective.offset - objective.problem.predict(result.w)
    # Its last bits depend on BLAS.
    return round_up(max(NORMAL * _median(np.abs(residuals), s), LEAST * first))


def _median(values, weights):
    """Return the weighted median: the middle of all that are equally good."""
    order = np.argsort(values, kind="stable")
    shares = np.cumsum(weights[order]) / weights.sum()
    low = np.searchsorted(shares, 0.5 - 1e-12)
    high = np.searchsorted(shares, 0.5 + 1e-12)
    return 0.5 * float(values[order[low]] + values[order[min(high, len(order) - 1)]])
