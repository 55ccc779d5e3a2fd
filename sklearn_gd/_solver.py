"""The solvers: a table of presets, and the one loop that runs them all."""

from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sklearn_gd import _messages, _steps
from sklearn_gd._core.epoch import Mean, Steps
from sklearn_gd._core.quadratic import ROUNDING, Watch
from sklearn_gd._core.rules import AdaGrad, Descent, Momentum, RMSprop

# Steps in a run on a quadratic, and the products in them, a millisecond between two
# looks for Ctrl-C.
RUN, RUN_PRODUCTS = 200, 1 << 22
# F on a quadratic is exact relative to F at its base, which is moved once F is so low.
REBASE = 1e-2
# A Newton step that promises to lower F by less than this, relative to F, leaves F and
# is the last: it is 1e-10 of what the residuals amount to, and exact to a few digits.
SETTLED = 1e-20
# A stream's iteration is tried with its step halved at most this many times.
TRIES = 30
ONE_PASS = "one pass over these rows"


@dataclass(frozen=True)
class Solver:
    """What a solver's name stands for.

    Attributes
    ----------
    rule : type
        The update rule.
    batch_size : int or None
        Rows a step by default; None is all.
    parameters : tuple of str
        The estimator's parameters that the rule takes.
    size : type
        How long the first automatic step is.
    second_order : bool
        Whether the rule is given H⁻¹g for g, which takes all rows.
    """

    rule: type
    batch_size: int | None = None
    parameters: tuple = ()
    size: type = _steps.Lipschitz
    second_order: bool = False


SOLVERS = {
    "gd": Solver(Descent),
    "sgd": Solver(Descent, batch_size=1),
    "minibatch": Solver(Descent, batch_size=32),
    "momentum": Solver(Momentum, parameters=("momentum",)),
    "newton": Solver(Descent, size=_steps.Unit, second_order=True),
    "adagrad": Solver(AdaGrad, parameters=("eps",), size=_steps.Reach),
    "rmsprop": Solver(RMSprop, parameters=("rho", "eps"), size=_steps.Reach),
}


@dataclass(frozen=True)
class Stopping:
    """When to stop.

    Attributes
    ----------
    max_iter : int
    tol : float or None
        None makes exactly max_iter iterations.
    patience : int
        Iterations without progress that make a plateau.
    """

    max_iter: int
    tol: float | None = None
    patience: int = 5


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
    loss_curve : list of float
        F at the start and after each iteration.
    made : int
        Steps made, those of earlier calls included.
    eta : float
        The step of the last iteration.
    reason : str
        Why the fit stopped.
    warning : str or None
        What the user should know.
    """

    w: np.ndarray
    last: np.ndarray
    F: float
    loss_curve: list
    made: int
    eta: float
    reason: str
    warning: str | None = None


# --- how far one iteration goes -------------------------------------------------------


class AllRows:
    """One step on all rows an iteration.

    Parameters
    ----------
    seed : int or None
        Not used, but kept: the next chunk of a stream may have more rows than a batch.
    second_order : bool
        Whether to hand H⁻¹g to the rule instead of g.
    epoch : int
        Iterations made before.
    """

    batch = None
    exact = True
    one, unit = "iteration", "iterations"

    def __init__(self, seed=None, second_order=False, epoch=0):
        self.seed = seed
        self.second_order = second_order
        self.epoch = epoch

    def prepare(self, objective):
        """Compute what automatic steps need anyway, since F and g at 0 come with it."""
        if objective.newton_has_gram if self.second_order else objective.has_gram:
            _ = objective.moments

    def iterate(self, state):
        if self.second_order:
            self._newton(state)
        elif (quadratic := self._quadratic(state)) is not None:
            self._run(quadratic, state)
        else:
            state.rule.apply(state.w, state.g, state.steps.advance())
            state.evaluate()
            self.epoch += 1

    def _newton(self, state):
        objective, eta = state.objective, state.steps.advance()
        p = objective.newton_direction(state.w, state.g)
        gain = 0.5 * (state.g @ p)
        state.rule.apply(state.w, p, eta)
        self.epoch += 1
        if gain <= SETTLED * state.F and objective.has_triangle:
            state.g = (1.0 - eta) * state.g
        else:
            state.evaluate()

    @staticmethod
    def _quadratic(state):
        """Return the Quadratic to step on, None where the rows are to be preferred.

        Where nothing else needs the Gram matrix, as many passes as it costs come first:
        often they are enough.
        """
        objective = state.objective
        left = state.stopping.max_iter - state.n_iter
        if left > 1 and not objective.has_moments:
            passes = objective.data.gram_passes
            left = left - passes if state.n_iter >= passes else 0
        return objective.quadratic if left > 1 else None

    def _run(self, quadratic, state):
        """Make steps until the policy has something to look at, many an iteration.

        Where they seem to end the fit, F and g are computed from the rows.
        """
        if state.watch is None:
            state.begin_watch()
            state.move_base(quadratic)
        watch, steps = state.watch, state.steps
        t = steps.made + np.arange(1.0, state.longest_run + 1.0)
        etas = steps.eta / t**steps.power
        watch.begin(state.best, state.best_F, state.F)
        curve, small = quadratic.run(state.rule, state.w, state.g, etas, watch)
        state.steps = Steps(steps.eta, steps.power, steps.made + len(curve) - 1)
        state.steps.advance()
        self.epoch += len(curve)
        state.point, state.F = state.w, curve[-1]
        state.pass_by(curve[:-1])
        is_last = state.n_iter + 1 == state.stopping.max_iter
        if small or is_last or state.F < watch.floor:
            state.evaluate()
            state.move_base(quadratic)


class Batches:
    """One epoch an iteration: every row once, ``batch`` rows a step.

    Parameters
    ----------
    batch : int
    seed : int or None
        What the order of the rows is drawn from, with the epoch; None if it is not.
    order : Order
        The order of the rows.
    average : bool
        Whether an epoch is judged, and returned, by the mean of its iterates.
    exact : bool
        Whether F is computed after each epoch. If not, the mean of the loss of each row
        just before its step stands for it, which saves a pass over X.
    epoch : int
        Epochs made before.
    """

    second_order = False
    one, unit = "epoch", "epochs"

    def __init__(self, batch, seed, order, average, exact, epoch=0):
        self.batch = batch
        self.seed = seed
        self.order = order
        self.average = average
        self.exact = exact
        self.epoch = epoch

    def iterate(self, state):
        objective = state.objective
        self.order.begin(self.seed or 0, self.epoch)
        self.epoch += 1
        mean = Mean(objective.size, self.average)
        running = objective.problem.epoch(
            state.rule, state.w, self.order, self.batch, state.steps, mean
        )
        state.point = mean.w if self.average else state.w
        if self.exact:
            state.F, state.point_g = objective.value_and_gradient(state.point)
        else:
            state.F = running + objective.penalty_value(state.point)


def automatic_policy(walk, size):
    """Return what becomes of an automatic step of this size on this walk."""
    if walk.batch is not None:
        return _steps.Halving(size)
    if walk.second_order:
        return _steps.Refining(size)
    return _steps.Restarting(size)


# --- the loop -------------------------------------------------------------------------


class State:
    """A fit on its way: where it is, where it was best, and how it came there.

    Attributes
    ----------
    w, g : ndarray of shape (size,)
        The iterate, and the gradient there if an iteration has all rows.
    point : ndarray of shape (size,)
        The iterate that F belongs to: w, or the mean of an epoch.
    point_g, best_g : ndarray of shape (size,) or None
        The gradients at point and at best, where an epoch has them.
    F, previous_F, start_F, best_F : float
    steps : Steps
        The step sizes, and how many were made.
    start, best : ndarray of shape (size,)
        Where the fit began, and where F was lowest.
    step : ndarray of shape (size,)
        How far the last iteration went.
    heeds_rise, heeds_plateau : bool
    ceiling : float
        Whether the policy must look at each rise of F, at a plateau, and at an F above
        the ceiling.
    curve : list of float
        F at the start and after each iteration.
    plateau : bool
        Whether F has not fallen by more than tol for ``patience`` iterations.
    """

    def __init__(self, objective, rule, walk, stopping, w, made=0):
        self.objective = objective
        self.rule = rule
        self.walk = walk
        self.stopping = stopping
        self.tol = stopping.tol or 0.0
        self.patience = stopping.patience
        self.w = w
        self.point = w
        self.steps = Steps(0.0, 0.0, made)
        self.g = self.point_g = self.best_g = None
        self.evaluate()
        self.start_F = self.best_F = self.previous_F = self.F
        self.watch = None
        self.heeds_rise, self.heeds_plateau, self.ceiling = True, False, np.inf
        self.start = w.copy()
        self.start_rule = rule.state
        self.best = self.start
        self.curve = [self.F]
        self._new_plateau()

    @property
    def n_iter(self):
        return len(self.curve) - 1

    @property
    def eta(self):
        return self.steps.eta

    def set_step(self, eta, power=None):
        """Set the step η / t^power, or an automatic one."""
        if power is None:
            self.steps = Steps(eta, 0.0, self.steps.made, self.walk.batch or 0)
        else:
            self.steps = Steps(eta, power, self.steps.made)
        self._new_plateau()

    def _new_plateau(self):
        self._flat = 0
        self._lowest = self.best_F

    def iterate(self):
        before = self.w.copy()
        self.previous_F = self.F
        self.walk.iterate(self)
        self.step = self.w - before
        self.curve.append(float(self.F))
        self._heed_plateau(self.F)
        # Equal up to rounding, the later iterate is the better one.
        if not self.is_above(self.best_F):
            self.best_F = min(self.F, self.best_F)
            self.best, self.best_g = self.point.copy(), self.point_g

    def _heed_plateau(self, F):
        if F < (1.0 - self.tol) * self._lowest:
            self._flat, self._lowest = 0, F
        else:
            self._flat += 1

    def evaluate(self):
        """Compute F at w from the rows, and g if the steps need it."""
        self.point = self.w
        if self.walk.batch is None:
            self.F, self.g = self.objective.value_and_gradient(self.w)
        else:
            self.F = self.objective.value(self.w)

    # --- runs of steps on a quadratic -------------------------------------------------

    def begin_watch(self):
        objective = self.objective
        mean, scale = objective.gradient_scale
        small = max(self.tol * objective.deviation, objective.noise)
        if self.stopping.tol is None:
            small = -1.0
        noise = objective.noise**2
        self.watch = Watch(mean, scale, noise, small, self.heeds_rise, self.ceiling)

    def move_base(self, quadratic):
        """Let the quadratic go on from w, where F and g are from the rows."""
        quadratic.rebase(self.w, self.F, self.g)
        self.watch.floor = REBASE * self.F

    @property
    def longest_run(self):
        """How many steps may be made without asking the policy."""
        longest = min(RUN, 1 + RUN_PRODUCTS // self.objective.size**2)
        longest = min(longest, self.stopping.max_iter - self.n_iter)
        if self.heeds_plateau:
            longest = min(longest, max(1, self.patience - self._flat))
        return longest

    def pass_by(self, curve):
        """Take note of the run's iterates before the last, which no policy looks at."""
        if len(curve) > 0:
            self.curve.extend(curve.tolist())
            self.previous_F = self.curve[-1]
        if self.heeds_plateau:
            for F in curve:
                self._heed_plateau(F)
        if self.watch.improved:
            self.best = np.array(self.watch.best)
            self.best_F = self.watch.best_F

    def is_above(self, F):
        """Return whether F is higher here by more than its rounding."""
        return not self.F <= (1.0 + ROUNDING) * F + self.objective.noise**2

    @property
    def plateau(self):
        return self._flat >= self.patience

    @cached_property
    def stable_step(self):
        """The largest stable step, None if the rule has none."""
        if self.walk.second_order:
            return 2.0
        if hasattr(self.rule, "reach"):
            return None
        momentum = getattr(self.rule, "momentum", 0.0)
        return _steps.descent_bound(self.objective, self.walk.batch, momentum)

    @property
    def beyond_stable_step(self):
        return self.stable_step is not None and self.eta > self.stable_step

    @property
    def is_finite(self):
        return bool(np.isfinite(self.F) and np.isfinite(self.w).all())

    @property
    def shift(self):
        """The length of the last step in units of the predictions."""
        return np.max(np.sqrt(self.objective.diagonal) * np.abs(self.step))

    @property
    def length(self):
        """The length of w in the same units."""
        return np.max(np.sqrt(self.objective.diagonal) * np.abs(self.w))

    def back_to_best(self):
        self.w[:] = self.best
        self.evaluate()

    def gradient(self, w):
        """Return ∇F(w), which may be known."""
        if w is self.best and self.best_g is not None:
            return self.best_g
        if self.walk.batch is None and np.array_equal(w, self.w):
            return self.g
        return self.objective.value_and_gradient(w)[1]

    def excess(self):
        """Return (F − F*)/F₀ at the best iterate, None if that is too much work."""
        objective, g = self.objective, self.gradient(self.best)
        if objective.has_sample and not objective.has_moments:
            gap = objective.rough_gap(g)
        elif objective.knows_gap:
            gap = objective.gap(self.best, g)
        else:
            return None
        return 0.0 if gap <= objective.noise**2 else 2.0 * gap / objective.deviation**2

    @property
    def gradient_is_small(self):
        noise = self.objective.noise / self.objective.deviation
        return self.objective.gradient_ratio(self.g) <= max(self.tol, noise)


def minimize(objective, rule, walk, policy, stopping, w, *, made=0, stream=False):
    """Minimise the objective: the one loop of all solvers.

    Parameters
    ----------
    objective : Objective
    rule : Rule
    walk : AllRows or Batches
    policy : Float, Restarting, Refining or Halving
    stopping : Stopping
    w : ndarray of shape (size,)
        The start, which is overwritten.
    made : int
        Steps made before.
    stream : bool
        Whether these are but some of the rows, so that F may well end above its start.

    Returns
    -------
    Result
    """
    if policy.automatic and walk.batch is None:
        walk.prepare(objective)
    state = State(objective, rule, walk, stopping, w, made)
    policy.begin(state)
    reason = None
    while state.n_iter < stopping.max_iter:
        state.iterate()
        reason = policy.after(state)
        if stopping.tol is None and reason != _steps.DIVERGED:
            reason = None
        if reason is not None:
            break
    if policy.automatic:
        return _best(state, reason)
    return _last(state, reason, stream)


def _best(state, reason):
    """Return the best iterate, as automatic steps do."""
    warning = None
    if state.stopping.tol is not None:
        warning = _messages.short_of_the_optimum(
            state, state.best, reason, automatic=True
        )
    return _result(state, state.best, state.best, state.best_F, reason, warning)


def _last(state, reason, stream):
    """Return the last iterate, as the textbook does, unless it is a diverged one."""
    if state.is_finite and not state.walk.exact:
        state.F = state.objective.value(state.point)
    # The adaptive rules have no largest step; an end above the start is never what was
    # meant by theirs. Any other rule's F may end there without diverging.
    above = not stream and state.is_above(state.start_F)
    if reason == _steps.DIVERGED or (above and state.stable_step is None):
        best, F = state.best, state.objective.value(state.best)
        if not F <= state.start_F:
            best, F = state.start, state.start_F
        state.rule.state = state.start_rule
        return _result(state, best, best, F, _steps.DIVERGED, _messages.diverged(state))
    warning = None
    if above and state.beyond_stable_step:
        warning = _messages.above_its_start(state)
    elif reason is None and state.stopping.tol is not None:
        warning = _messages.short_of_the_optimum(
            state, state.point, reason, automatic=False
        )
    return _result(state, state.point, state.w, state.F, reason, warning)


def _result(state, w, last, F, reason, warning):
    if reason is None:
        reason = f"max_iter={state.stopping.max_iter} {state.walk.unit} made"
    steps = state.steps
    return Result(w, last, F, state.curve, steps.made, steps.last, reason, warning)


# --- streams --------------------------------------------------------------------------


def advance(objective, rule, walk, size, w, *, share, made):
    """Make one iteration of a stream with an automatic step.

    An iteration after which F on these rows is higher is undone and repeated: first
    without the momentum of other rows, which need not descend here however short the
    step, then with half the step, and again. Later calls keep one of these halvings:
    rows that happen to be met already would otherwise end the learning for good.

    Parameters
    ----------
    objective, rule, walk, w, made
        As in ``minimize``; w is overwritten.
    size : Lipschitz or Reach
        With what it remembers of earlier calls.
    share : float
        The power of ½ by which the step was shortened so far.

    Returns
    -------
    result : Result
    share : float
    """
    state = State(objective, rule, walk, Stopping(max_iter=1), w, made)
    whole = size.first(state)
    epoch = walk.epoch
    for trial in range(TRIES):
        halvings = max(0, trial - 1)
        state.set_step(whole * share / 2.0**halvings)
        state.iterate()
        if state.is_finite and not state.is_above(state.start_F):
            break
        rule.state = state.start_rule
        rule.restart()
        state.back_to_best()
        state.steps = Steps(0.0, 0.0, made)
        walk.epoch = epoch
    size.follow(rule, state.w)
    state.curve = [state.start_F, state.F]
    result = _result(state, state.w, state.w, state.F, ONE_PASS, None)
    return result, share if halvings == 0 else share / 2.0


def solve_exactly(objective, factor, w, made):
    """Return the minimiser over all rows of a stream, from their Factor.

    F is that of the objective's own rows, before at w and after.
    """
    curve = [objective.value(w)]
    w = objective.joined(*factor.solve(objective.penalty.alpha))
    curve.append(objective.value(w))
    return Result(w, w, curve[-1], curve, made, 1.0, "exact over all rows seen")
