"""The solvers: a table of presets, and the one loop that runs them all."""

from array import array
from dataclasses import dataclass, field, replace

import numpy as np

from sklearn_gd import _messages, _steps
from sklearn_gd._core.epoch import Steps
from sklearn_gd._core.quadratic import ROUNDING
from sklearn_gd._core.rules import AdaGrad, Descent, Momentum, RMSprop
from sklearn_gd._factor import EPS, finite
from sklearn_gd._state import evaluate

# A stream's iteration is tried with its step halved at most this many times.
TRIES = 30
ONE_PASS = "one pass over these rows"
GOING_ON = "not stopped yet"


@dataclass(frozen=True)
class Solver:
    """What a solver's name stands for.

    Attributes
    ----------
    rule : type
        The update rule.
    batch_size : int or None
        Rows a step by default; None is all.
    size : type
        How long the first automatic step is.
    second_order : bool
        Whether the rule is given H⁻¹g for g, which takes all rows.
    """

    rule: type
    batch_size: int | None = None
    size: type = _steps.Lipschitz
    second_order: bool = False


SOLVERS = {
    "gd": Solver(Descent),
    "sgd": Solver(Descent, batch_size=1),
    "minibatch": Solver(Descent, batch_size=32),
    "momentum": Solver(Momentum),
    "newton": Solver(Descent, size=_steps.Unit, second_order=True),
    "adagrad": Solver(AdaGrad, size=_steps.Reach),
    "rmsprop": Solver(RMSprop, size=_steps.Reach),
}


def automatic_policy(walk, size, loss):
    """Return what becomes of an automatic step of this size on this walk."""
    if walk.batch is not None:
        return _steps.Halving(size)
    if walk.second_order:
        return _steps.Refining(size) if loss.is_quadratic else _steps.Damped(size)
    return _steps.Restarting(size) if loss.has_second else _steps.Smoothing(size)


# --- the loop -------------------------------------------------------------------------


@dataclass
class Result:
    """What a fit leaves behind.

    Attributes
    ----------
    w : ndarray of shape (size,)
        The coefficients and the intercept, relative to the objective's offset.
    last : ndarray of shape (size,)
        The iterate to go on from, which is not w where w is a mean.
    F : float
        F(w).
    loss_curve : array
        F at the start and after each iteration.
    made : int
        Steps made, those of earlier calls included.
    rates : array
        The step of each iteration.
    reason : str
        Why the fit stopped.
    warning : str or None
        What the user should know.
    path : list of ndarray
        The iterates that F was computed at, where they were to be kept.
    scores : list of float
        On the rows held out, where there are any.
    """

    w: np.ndarray
    last: np.ndarray
    F: float
    loss_curve: array
    made: int
    rates: array
    reason: str
    warning: str | None = None
    path: list = field(default_factory=list)
    scores: list = field(default_factory=list)


def minimize(states, *, stream=False, watcher=None):
    """Minimise the objective of each target: the one loop of all solvers.

    Each target is a fit of its own, which stops when it is done; they go in step to
    share the passes over X.

    Parameters
    ----------
    states : list of State
        With one walk.
    stream : bool
        Whether these are but some of the rows, so that F may well end above its start.
    watcher : object, default=None
        Its ``begin(states)`` and ``end(states)`` are called about each iteration, when
        the states are where it begins and has ended; if ``end`` returns true, the
        iteration was the last.

    Returns
    -------
    list of Result
    """
    walk = states[0].walk
    if walk.batch is None and states[0].policy.automatic:
        walk.prepare(states[0].objective)
    evaluate(states)
    for state in states:
        state.single_steps |= watcher is not None
        state.begin()
    active = states
    while active:
        if watcher is not None:
            watcher.begin(states)
        for state in active:
            state.set_out()
        walk.iterate(active)
        for state in active:
            state.arrive()
        asked = watcher is not None and watcher.end(states)
        for state in active:
            state.decide(asked)
        active = [state for state in active if not state.is_over]
    return [
        _best(state) if state.policy.automatic else _last(state, stream)
        for state in states
    ]


def so_far(state):
    """Return what a fit that goes on would leave behind if it ended where it is."""
    result = _result(state, state.point, state.w, state.curve[-1], None)
    return replace(result, reason=state.reason or GOING_ON)


def interrupted(state):
    """Return what a fit that is interrupted leaves: its last whole iteration, or best.

    An iteration that was on its way may have moved w, and F may not be known there.
    """
    if state.policy.automatic:
        w, F = state.best, state.best_F
    else:
        w, F = state.before, state.curve[-1]
    return replace(_result(state, w, w, F, None), reason="interrupted")


def _best(state):
    """Return the best iterate, as automatic steps do."""
    if state.validation is not None:
        return _scored(state)
    if state.walk.batch is not None and not state.objective.penalty.is_smooth:
        _step_on_all_rows(state)
    warning = None
    if state.stopping.tol is not None:
        warning = _messages.short_of_the_optimum(state, state.best)
    return _result(state, state.best, state.best, state.best_F, warning)


def _step_on_all_rows(state):
    """Make a last step of 1/L from the best iterate: a mean has no exact zeros."""
    objective, best = state.objective, state.best
    step = _steps.descent_bound(objective, None) / 2.0
    w = best - step * state.gradient(best)
    d = objective.data.d
    w[:d] = objective.penalty.proximal(w[:d], np.full(d, step))
    F, g = objective.value_and_gradient(w)
    if not F > (1.0 + ROUNDING) * state.best_F + objective.F_noise:
        state.best, state.best_F, state.best_g = w, F, g


def _last(state, stream):
    """Return the last iterate, as the textbook does, unless it is a diverged one."""
    if state.is_finite and not state.walk.exact:
        state.F = state.objective.value(state.point)
    # The adaptive rules have no largest step; an end above the start is never what was
    # meant by theirs, nor by a step that is too long, unless just so many were asked
    # for. Any other rule's F may end there without diverging.
    above = not stream and state.is_above(state.start_F)
    asked_for = state.stopping.tol is None
    no_bound = above and state.stable_step is None
    too_long = above and not asked_for and state.beyond_stable_step
    if state.reason == _steps.DIVERGED or no_bound or too_long:
        best, F = state.best, state.objective.value(state.best)
        if not F <= state.start_F:
            best, F = state.start, state.start_F
        state.rule.state = state.start_rule
        state.reason = _steps.DIVERGED
        return _result(state, best, best, F, _messages.diverged(state))
    for values in state.rule.state.values():
        finite(values)  # where G is infinite, nothing moves
    if state.validation is not None:
        return _scored(state)
    warning = None
    if above and state.beyond_stable_step:
        warning = _messages.above_its_start(state)
    elif not asked_for:
        warning = _messages.short_of_the_optimum(state, state.point)
    return _result(state, state.point, state.w, state.F, warning)


def _scored(state):
    """Return the iterate that was best on the rows held out."""
    w, F = state.scored
    if not state.walk.exact:
        F = state.objective.value(w)
    warning = None
    if state.reason is None and state.stopping.tol is not None:
        warning = _messages.score_still_rose(state)
    return _result(state, w, w, F, warning)


def _result(state, w, last, F, warning):
    reason = state.reason
    if reason is None:
        reason = f"max_iter={state.stopping.max_iter} {state.walk.unit} made"
    return Result(
        w,
        last,
        F,
        state.curve,
        state.steps.made,
        state.rates,
        reason,
        warning,
        state.path,
        state.scores,
    )


# --- streams --------------------------------------------------------------------------


def advance(state, size, share):
    """Make one iteration of a stream with an automatic step.

    An iteration after which F on these rows is higher is undone and repeated: first
    without the momentum of other rows, which need not descend here however short the
    step, then with half the step, and again. Later calls keep one of these halvings:
    rows that happen to be met already would otherwise end the learning for good.

    Parameters
    ----------
    state : State
        With Stopping(max_iter=1).
    size : Lipschitz or Reach
        With what it remembers of earlier calls.
    share : float
        The power of ½ by which the step was shortened so far.

    Returns
    -------
    result : Result
    share : float
    """
    rule, walk, made = state.rule, state.walk, state.steps.made
    state.evaluate()
    state.begin()
    whole = size.first(state)
    epoch = walk.epoch
    for trial in range(TRIES):
        halvings = max(0, trial - 1)
        state.set_step(whole * share / 2.0**halvings)
        state.set_out()
        walk.iterate([state])
        if state.is_finite and not state.is_above(state.start_F):
            break
        rule.state = state.start_rule
        rule.restart()
        state.w[:] = state.start
        state.evaluate()
        state.steps = Steps(0.0, 0.0, made)
        walk.epoch = epoch
    size.follow(rule, state.w)
    state.arrive()
    state.reason = ONE_PASS
    result = _result(state, state.point, state.w, state.F, None)
    return result, share if halvings == 0 else share / 2.0


def solve_exactly(state, factor):
    """Return the minimiser over all rows of a stream, from their Factor.

    F is that of the objective's own rows, before at the state and after.
    """
    objective = state.objective
    coefficients, (intercept, left), objective.condition = factor.solve_in_pairs(
        objective.penalty.l2
    )
    objective.intercept_left = left
    w = objective.joined(coefficients, intercept)
    state.curve = array("d", map(objective.value_from_moments, (state.w, w)))
    state.path = [state.w, w] if state.keeps_path else []
    state.set_step(1.0)
    state.rates = array("d", [state.steps.advance()])
    state.reason, condition = "exact over all rows seen", objective.condition
    warning = _messages.few_digits(EPS * condition, condition)
    return _result(state, w, w, state.curve[-1], warning)
