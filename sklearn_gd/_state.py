"""A fit on its way: where it is, where it was best, and when it should stop."""

from array import array
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from sklearn_gd import _steps
from sklearn_gd._core.epoch import Steps
from sklearn_gd._core.penalties import Penalty
from sklearn_gd._core.quadratic import ROUNDING, Watch
from sklearn_gd._factor import EPS
from sklearn_gd._objective import best_constant, values_and_gradients

# Steps in a run on a quadratic, and the products in them, a millisecond between two
# looks for Ctrl-C.
RUN, RUN_PRODUCTS = 200, 1 << 22
# F on a quadratic is exact relative to F at its base, which is moved once F is so low.
REBASE = 1e-2
STOPPED_EARLY = "stopped early: the validation score no longer rises by more than tol"
ASKED = "stopped: a callback asked for it"


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


class Validation:
    """The score on rows that were held out, D²: the R² of the loss.

    D² = 1 − (mean ℓ) / (mean ℓ of the best constant), which is R² for the squared error
    and ``sklearn.metrics.d2_pinball_score`` for a quantile.

    Parameters
    ----------
    data : Data
        In which only the rows held out count.
    terms : Terms
        Of F over the other rows.
    """

    def __init__(self, data, terms):
        y = data.Y[terms.target]
        constant = best_constant(data, terms.loss, y)
        self.of_constant = data.loss_means(terms.loss, y, constant)[0]
        self.problem = data.problem(terms._replace(penalty=Penalty()))

    def score(self, w):
        """Return the weighted D² of w, −∞ where w is not finite."""
        left = self.problem.value(w)
        if not np.isfinite(left):
            return -np.inf
        if self.of_constant == 0.0:
            return 1.0 if left == 0.0 else 0.0
        return float(1.0 - left / self.of_constant)


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
    heeds_rise, heeds_plateau : bool
    ceiling : float
        Whether the policy must look at each rise of F, at a plateau, and at an F above
        the ceiling.
    share : float
        The part of its step that an iteration made, where it searches for it.
    curve : array
        F at the start and after each iteration.
    rates : array
        The step of each iteration, the last one of an epoch.
    scores : list of float
        D² on the rows held out after each iteration.
    plateau : bool
        Whether F has not fallen by more than tol for ``patience`` iterations.
    may_judge : bool
        Whether the policy of a smoothed loss has just used up a width, or many steps:
        only then does a score that has not risen say anything.
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
        self.best_F = np.inf
        self.steps = Steps(0.0, 0.0, made)
        self.g = self.point_g = self.best_g = None
        self.watch = None
        self.heeds_rise, self.heeds_plateau, self.ceiling = True, False, np.inf
        self.single_steps = keeps_path or validation is not None
        self.damping, self.settled = 0.0, False
        self.may_judge = False
        self.curve = array("d")
        self.scores = []
        self.reason = None

    def begin(self):
        """Begin where F was computed."""
        self.start_F = self.best_F = self.previous_F = self.F
        self.start = self.w.copy()
        self.start_rule = self.rule.state
        self.best = self.start
        self.curve, self.rates = array("d", [self.F]), array("d")
        self.path = [self.start] if self.keeps_path else []
        self._unscored = 0
        self.best_score = self._judged_score = -np.inf
        self.scored = self.start, self.F
        self._new_plateau()
        self.policy.begin(self)

    @property
    def step(self):
        """How far the last iteration has gone."""
        return self.w - self.before

    @property
    def has_begun(self):
        """Whether an iteration was made."""
        return len(self.curve) > 1

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
        self.share = 1.0

    def arrive(self):
        """Take note of where an iteration has led."""
        self.curve.append(self.F)
        self.rates.append(self.share * self.steps.last)
        if self.keeps_path:
            self.path.append(np.array(self.point))
        if self.validation is not None:
            self._keep_score()
        self._heed_plateau(self.F)
        # Equal up to rounding, the later iterate is the better one.
        if not self.is_above(self.best_F):
            self.best_F = min(self.F, self.best_F)
            self.best, self.best_g = self.point.copy(), self.point_g

    def decide(self, asked):
        """Let the policy act, and decide whether to stop here, as may be asked for."""
        reason = self.policy.after(self)
        if reason != _steps.DIVERGED:
            if self.stopping.tol is None:
                reason = None
            elif self.validation is not None and self._judge_score():
                reason = STOPPED_EARLY
            if asked:
                reason = reason or ASKED
        self.reason = reason

    def _keep_score(self):
        score = self.validation.score(self.point)
        self.scores.append(score)
        if score > self.best_score:
            self.best_score = score
            self.scored = np.array(self.point), self.curve[-1]

    def _judge_score(self):
        """Return whether the score has not risen for long enough."""
        smoothed = self.objective.loss.width > 0.0
        # While a kink is smoothed over by much, the score may well fall.
        if not smoothed or self.may_judge:
            enough = self.best_score > self._judged_score + self.tol
            self._unscored = 0 if enough else self._unscored + 1
            self._judged_score, self.may_judge = self.best_score, False
        return self._unscored >= (1 if smoothed else self.stopping.patience)

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

    def pass_by(self, curve, etas):
        """Take note of the run's iterates before the last, which no policy looks at."""
        if len(curve) > 0:
            self.curve.frombytes(curve.tobytes())
            self.rates.frombytes(etas.tobytes())
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

    @property
    def still_falls(self):
        """Whether F has fallen with each iteration that makes the plateau."""
        return bool((np.diff(self.curve[-self.patience - 1 :]) < 0.0).all())

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

    @property
    def relative_error(self):
        """About how wrong Newton's w is, relative to its length.

        A rounding of X grows by the condition number, and what refinement still changes
        is not known either.
        """
        error = EPS * self.objective.condition
        length = self.length
        if length <= self.objective.noise:
            return 0.0  # nothing but a rounding of y was fitted
        return max(error, self.shift / length) if self.n_iter > 1 else error

    def back_to_best(self):
        self.w[:] = self.best
        if self.walk.batch is None:
            self.evaluate()
        else:
            self.point, self.F = self.w, self.best_F

    def gradient(self, w):
        """Return ∇F(w), which may be known."""
        if w is self.best and self.best_g is not None:
            return self.best_g
        if self.walk.batch is None and np.array_equal(w, self.w):
            return self.g
        return self.objective.value_and_gradient(w)[1]

    def excess(self):
        """Return (F − F*)/F₀ at the best iterate, None if that is too much work."""
        objective = self.objective
        gap = self._gap(self.best, self.gradient(self.best))
        if gap is None:
            return None
        return self._excess(gap + 0.5 * objective.loss.width * objective.slope**2)

    def least_excess(self, w):
        """Return what (F − F*)/F₀ is at least at w, which is near that as a rule."""
        objective, g = self.objective, self.gradient(w)
        if objective.takes_newton:
            gap = self._gap(w, g)
            if gap is not None:
                return self._excess(gap)
        return self._excess(objective.descent(w, g))

    def _gap(self, w, g):
        objective = self.objective
        if not objective.has_moments and objective.has_sample:
            return objective.rough_gap(w, g)
        return objective.gap(w, g) if objective.knows_gap else None

    def _excess(self, gap):
        objective = self.objective
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
