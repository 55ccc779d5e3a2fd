"""The solvers: a table of presets, and the one loop that runs them all."""

from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

from sklearn_gd import _messages, _steps
from sklearn_gd._core.epoch import Mean, Steps
from sklearn_gd._core.quadratic import ROUNDING, Watch
from sklearn_gd._core.rules import AdaGrad, Descent, Momentum, RMSprop
from sklearn_gd._core.targets import Targets
from sklearn_gd._geometry import EPS
from sklearn_gd._objective import DAMPING, values_and_gradients

# Steps in a run on a quadratic, and the products in them, a millisecond between two
# looks for Ctrl-C.
RUN, RUN_PRODUCTS = 200, 1 << 22
# F on a quadratic is exact relative to F at its base, which is moved once F is so low.
REBASE = 1e-2
# A Newton step that promises to lower F by less than this, relative to F, leaves F and
# is the last: it is 1e-10 of what the residuals amount to, and exact to a few digits.
SETTLED = 1e-20
# Damping is raised after so many halvings of a step, by this factor, up to one.
HALVINGS, MORE_DAMPING = 6, 100.0
# A searched step must bring this part of what its slope promises (Armijo 1966).
PROMISE = 1e-4
# A stream's iteration is tried with its step halved at most this many times.
TRIES = 30
ONE_PASS = "one pass over these rows"
STOPPED_EARLY = "stopped early: the validation score no longer rises by more than tol"


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
    path : list of ndarray
        The iterates that F was computed at, where they were to be kept.
    scores : list of float
        On the rows held out, where there are any.
    """

    w: np.ndarray
    last: np.ndarray
    F: float
    loss_curve: list
    made: int
    eta: float
    reason: str
    warning: str | None = None
    path: list = field(default_factory=list)
    scores: list = field(default_factory=list)


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
        geometry = objective.geometry
        if self.second_order:
            wanted = geometry.newton_has_gram and objective.loss.is_quadratic
        else:
            wanted = geometry.has_gram
        if wanted:
            _ = geometry.moments

    def iterate(self, states):
        """Make one iteration for each target, with one pass over X for all."""
        self.epoch += 1
        stepped = []
        for state in states:
            if self.second_order and not state.objective.loss.is_quadratic:
                self._damped(state)
            elif self.second_order:
                if self._newton(state):
                    stepped.append(state)
            elif (quadratic := self._quadratic(state)) is not None:
                self._run(quadratic, state)
            else:
                state.rule.apply(state.w, state.g, state.steps.advance())
                stepped.append(state)
        evaluate(stepped)

    @staticmethod
    def _newton(state):
        """Make Newton's step on a quadratic; return whether F must be computed."""
        objective, eta = state.objective, state.steps.advance()
        p = objective.newton_direction(state.w, state.g)
        gain = 0.5 * (state.g @ p)
        state.rule.apply(state.w, p, eta)
        if gain <= SETTLED * state.F and objective.has_triangle:
            state.g = (1.0 - eta) * state.g
            return False
        return True

    @staticmethod
    def _damped(state):
        """Make Newton's step on an F that is no quadratic.

        An automatic one is halved until F falls by a part of what its slope promises.
        Where few rows have curvature, the direction is poor until it is damped.
        """
        objective, w, g, F = state.objective, state.w.copy(), state.g, state.F
        eta = state.steps.advance()
        if not state.policy.automatic:
            p = objective.damped_direction(w, g, 0.0)
            if p is None:
                p = objective.damped_direction(w, g, DAMPING)
            state.rule.apply(state.w, p, eta)
            state.evaluate()
            return
        damping = state.damping
        while damping <= MORE_DAMPING:
            p = objective.damped_direction(w, g, damping)
            slope = 0.0 if p is None else g @ p
            if p is not None and slope <= EPS * F + objective.F_noise:
                state.w[:] = w - p
                state.evaluate()
                break
            for halvings in range(HALVINGS if slope > 0.0 else 0):
                step = 0.5**halvings
                state.w[:] = w - step * p
                state.evaluate()
                if state.F <= F - PROMISE * step * slope:
                    # The better the quadratic, the less it needs to be damped.
                    state.damping = damping / MORE_DAMPING if halvings == 0 else damping
                    if state.damping < DAMPING:
                        state.damping = 0.0
                    return
                if step * slope <= ROUNDING * F + objective.F_noise:
                    break
            else:
                damping = max(DAMPING, MORE_DAMPING * damping)
                continue
            break
        # What is left to gain is rounding.
        if not state.F <= (1.0 + ROUNDING) * F + objective.F_noise:
            state.w[:] = w
            state.evaluate()
        state.settled = True

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
        self.epoch += len(curve) - 1
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

    def iterate(self, states):
        """Make one epoch for each target, with one pass over X for all."""
        self.order.begin(self.seed or 0, self.epoch)
        self.epoch += 1
        means = [Mean(state.objective.size, self.average) for state in states]
        losses = self._visit(states, means)
        for state, mean in zip(states, means, strict=True):
            state.point = mean.w if self.average else state.w
        if self.exact:
            found = values_and_gradients(
                [state.objective for state in states], [state.point for state in states]
            )
            for state, (F, g) in zip(states, found, strict=True):
                state.F, state.point_g = F, g
        else:
            for state, loss in zip(states, losses, strict=True):
                state.F = loss + state.objective.penalty_value(state.point)

    def _visit(self, states, means):
        """Make the steps, and return the mean loss of rows just before theirs."""
        rules = [state.rule for state in states]
        problems = [state.objective.problem for state in states]
        if len(states) > 1:
            together = Targets(problems)
            if together.share_epochs(rules, self.batch):
                points = [state.w for state in states]
                steps = [state.steps for state in states]
                return together.epoch(points, self.order, self.batch, steps, means)
        losses = np.zeros(len(states))
        # One target after the other sees rows that are still in the cache.
        while self.order.open(self.batch, whole=len(states) == 1):
            for t, state in enumerate(states):
                self.order.rewind()
                losses[t] += problems[t].epoch(
                    rules[t], state.w, self.order, self.batch, state.steps, means[t]
                )
        return losses


def automatic_policy(walk, size, loss):
    """Return what becomes of an automatic step of this size on this walk."""
    if walk.batch is not None:
        return _steps.Halving(size)
    if walk.second_order:
        return _steps.Refining(size) if loss.is_quadratic else _steps.Damped(size)
    return _steps.Restarting(size) if loss.has_second else _steps.Smoothing(size)


@dataclass(frozen=True)
class Validation:
    """R² on rows that were held out.

    Attributes
    ----------
    data : Data
    y, s : ndarray
        Targets and weights of the rows that ``data`` holds out.
    """

    data: object
    y: np.ndarray
    s: np.ndarray

    def score(self, objective, w):
        """Return the weighted R² of w."""
        d = objective.data.d
        intercept = objective.offset + (w[d] if objective.fit_intercept else 0.0)
        r = self.y - self.data.predict(w[:d], intercept, self.data.held)
        apart = self.y - np.average(self.y, weights=self.s)
        total = self.s @ apart**2
        left = self.s @ r**2
        if total == 0.0:
            return 1.0 if left == 0.0 else 0.0
        return float(1.0 - left / total)


# --- the loop -------------------------------------------------------------------------


class State:
    """A fit on its way: where it is, where it was best, and how it came there.

    Parameters
    ----------
    objective : Objective
    rule : Rule
    walk : AllRows or Batches
        Shared by all targets.
    policy : Float, Restarting, Smoothing, Refining, Damped or Halving
    stopping : Stopping
    w : ndarray of shape (size,)
        The start, which is overwritten.
    made : int
        Steps made before.
    validation : Validation, default=None
    keeps_path : bool, default=False

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

    def __init__(
        self,
        objective,
        rule,
        walk,
        policy,
        stopping,
        w,
        made=0,
        *,
        validation=None,
        keeps_path=False,
    ):
        self.objective = objective
        self.rule = rule
        self.walk = walk
        self.policy = policy
        self.stopping = stopping
        self.validation = validation
        self.keeps_path = keeps_path
        self.tol = stopping.tol or 0.0
        self.patience = stopping.patience
        self.w = w
        self.point = w
        self.steps = Steps(0.0, 0.0, made)
        self.g = self.point_g = self.best_g = None
        self.watch = None
        self.heeds_rise, self.heeds_plateau, self.ceiling = True, False, np.inf
        self.single_steps = keeps_path or validation is not None
        self.damping, self.settled = 0.0, False
        self.reason = None

    def begin(self):
        """Begin where F was computed."""
        self.start_F = self.best_F = self.previous_F = self.F
        self.start = self.w.copy()
        self.start_rule = self.rule.state
        self.best = self.start
        self.curve = [float(self.F)]
        self.path = [self.start] if self.keeps_path else []
        self.scores, self.best_score, self._unscored = [], -np.inf, 0
        self.scored = self.start, self.F
        self._new_plateau()
        self.policy.begin(self)

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

    @property
    def is_over(self):
        return self.reason is not None or self.n_iter >= self.stopping.max_iter

    def set_out(self):
        """Take note of where an iteration begins."""
        self.before = self.w.copy()
        self.previous_F = self.F

    def arrive(self):
        """Take note of where an iteration has led, and what its policy says."""
        self.step = self.w - self.before
        self.curve.append(float(self.F))
        if self.keeps_path:
            self.path.append(np.array(self.point))
        self._heed_plateau(self.F)
        # Equal up to rounding, the later iterate is the better one.
        if not self.is_above(self.best_F):
            self.best_F = min(self.F, self.best_F)
            self.best, self.best_g = self.point.copy(), self.point_g
        reason = self.policy.after(self)
        if self.stopping.tol is None and reason != _steps.DIVERGED:
            reason = None
        if self.validation is not None and reason != _steps.DIVERGED:
            reason = self._heed_score() or reason
        self.reason = reason

    def _heed_score(self):
        point = self.path[-1] if self.keeps_path else self.point
        score = self.validation.score(self.objective, point)
        self.scores.append(score)
        enough = score > self.best_score + self.tol
        self._unscored = 0 if enough else self._unscored + 1
        if score > self.best_score:
            self.best_score = score
            self.scored = np.array(point), self.curve[-1]
        if self.stopping.tol is not None and self._unscored >= self.stopping.patience:
            return STOPPED_EARLY
        return None

    def _heed_plateau(self, F):
        if F < (1.0 - self.tol) * self._lowest:
            self._flat, self._lowest = 0, F
        else:
            self._flat += 1

    def evaluate(self):
        """Compute F at w from the rows, and g if the steps need it."""
        evaluate([self])

    # --- runs of steps on a quadratic -------------------------------------------------

    def begin_watch(self):
        objective = self.objective
        mean, scale = objective.geometry.gradient_scale(objective.ridge)
        small = max(self.tol * objective.slope, objective.noise)
        if self.stopping.tol is None:
            small = -1.0
        self.watch = Watch(
            mean,
            scale,
            objective.penalty,
            objective.F_noise,
            small,
            self.heeds_rise,
            self.ceiling,
        )

    def move_base(self, quadratic):
        """Let the quadratic go on from w, where F and g are from the rows."""
        quadratic.rebase(self.w, self.F, self.g)
        self.watch.floor = REBASE * self.F

    @property
    def longest_run(self):
        """How many steps may be made without asking the policy."""
        if self.single_steps:
            return 1
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
        return not self.F <= (1.0 + ROUNDING) * F + self.objective.F_noise

    @property
    def plateau(self):
        return self._flat >= self.patience

    @cached_property
    def stable_step(self):
        """The largest stable step, None if there is none."""
        return _steps.stable_step(self)

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
            gap = objective.rough_gap(self.best, g)
        elif objective.knows_gap:
            gap = objective.gap(self.best, g)
        else:
            return None
        gap += 0.5 * objective.loss.width * objective.slope**2
        return 0.0 if gap <= objective.F_noise else gap / objective.constant_F

    @property
    def noise_ratio(self):
        """The rounding of a gradient ratio."""
        return self.objective.noise / self.objective.deviation

    @property
    def gradient_ratio(self):
        return self.objective.gradient_ratio(self.w, self.g)

    @property
    def gradient_is_small(self):
        return self.gradient_ratio <= max(self.tol, self.noise_ratio)


def evaluate(states):
    """Compute F where the states are, and g if their steps need it, in one pass."""
    for state in states:
        state.point = state.w
        if state.walk.batch is not None:
            state.F = state.objective.value(state.w)
    states = [state for state in states if state.walk.batch is None]
    found = values_and_gradients(
        [state.objective for state in states], [state.w for state in states]
    )
    for state, (F, g) in zip(states, found, strict=True):
        state.F, state.g = F, g


def minimize(states, *, stream=False, report=None):
    """Minimise the objective of each target: the one loop of all solvers.

    Each target is a fit of its own, which stops when it is done; they go in step to
    share the passes over X.

    Parameters
    ----------
    states : list of State
        With one walk.
    stream : bool
        Whether these are but some of the rows, so that F may well end above its start.
    report : callable, default=None
        Called with the states after each iteration.

    Returns
    -------
    list of Result
    """
    walk = states[0].walk
    if walk.batch is None and states[0].policy.automatic:
        walk.prepare(states[0].objective)
    evaluate(states)
    for state in states:
        state.single_steps |= report is not None
        state.begin()
    active = states
    while active:
        for state in active:
            state.set_out()
        walk.iterate(active)
        for state in active:
            state.arrive()
        if report is not None:
            report(states)
        active = [state for state in active if not state.is_over]
    return [
        _best(state) if state.policy.automatic else _last(state, stream)
        for state in states
    ]


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
    # meant by theirs. Any other rule's F may end there without diverging.
    above = not stream and state.is_above(state.start_F)
    if state.reason == _steps.DIVERGED or (above and state.stable_step is None):
        best, F = state.best, state.objective.value(state.best)
        if not F <= state.start_F:
            best, F = state.start, state.start_F
        state.rule.state = state.start_rule
        state.reason = _steps.DIVERGED
        return _result(state, best, best, F, _messages.diverged(state))
    if state.validation is not None:
        return _scored(state)
    warning = None
    if above and state.beyond_stable_step:
        warning = _messages.above_its_start(state)
    elif state.reason is None and state.stopping.tol is not None:
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
    steps = state.steps
    return Result(
        w,
        last,
        F,
        state.curve,
        steps.made,
        steps.last,
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
    state.curve = [state.start_F, state.F]
    state.reason = ONE_PASS
    result = _result(state, state.w, state.w, state.F, None)
    return result, share if halvings == 0 else share / 2.0


def solve_exactly(objective, factor, w, made):
    """Return the minimiser over all rows of a stream, from their Factor.

    F is that of the objective's own rows, before at w and after.
    """
    curve = [objective.value(w)]
    w = objective.joined(*factor.solve(objective.penalty.l2))
    curve.append(objective.value(w))
    return Result(w, w, curve[-1], curve, made, 1.0, "exact over all rows seen")
