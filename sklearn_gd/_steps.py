"""Step sizes: the user's own, the automatic ones, and the largest that is stable.

A *size* says how long the first automatic step may be (``Lipschitz``, ``Reach``,
``Unit``). A *policy* says what becomes of it: it looks at the ``State`` of the fit
after each iteration and may change the step, restart the rule, go back to the best
iterate, or return in words why the fit should stop.
"""

import numpy as np

from sklearn_gd._factor import TINY, inverse
from sklearn_gd._geometry import MANY_ROWS, round_up

# λ where nothing is known of the curvature: float steps and batches.
MOMENTUM = 0.9
# A float step whose F is this many times that of the start may be diverging.
LARGE = 1e6
# Automatic steps in units of 1/L and of 1/L_B; 2 would be the end of stability. Long
# ones are nearly twice as fast in the flat directions, and still halve the error in
# the steepest every few steps. Measured on 15 tables: a batch's noise leaves less room.
LONG = 1.8
LONG_BATCH = 1.5
# Steps of the first stage of a smoothed loss, and the gradient that ends a stage.
STAGE = 60
STAGE_TOL = 0.005
DIVERGED = "diverged"
SMALL_GRADIENT = "converged: the gradient is below tol"


# --- the largest stable step ----------------------------------------------------------


def descent_bound(objective, batch, momentum=0.0, longest=2.0):
    """Return 2/L, or what the rule can bear, or for batches the sufficient (1 − λ)/L_B.

    Polyak (1964) for full batch, where momentum bears 2(1 + λ)/L; Gower et al. (2019)
    for batches, where an effective step η/(1 − λ) of 1/L_B keeps F from growing.
    """
    if batch is None:
        return longest / _positive(objective.curvature[1])
    return (1.0 - momentum) / _positive(objective.batch_curvature(batch))


def stable_step(state):
    """Return the largest stable step, None if there is no such thing.

    For a quadratic F and all rows it is the largest; else it is surely stable.
    """
    objective, rule = state.objective, state.rule
    if state.walk.second_order:
        return 2.0 if objective.loss.is_quadratic else None
    if rule.longest is None or not objective.loss.has_second:
        return None
    momentum = getattr(rule, "momentum", 0.0)
    return descent_bound(objective, state.walk.batch, momentum, rule.longest)


def _positive(curvature):
    """Return the curvature, or 1 where there is none and any step will do."""
    return curvature if curvature > 0.0 else 1.0


def heavy_ball_momentum(curvature):
    """Return λ = (1 − √(μ/L))² for η = 1/L, μ/L taken as at least (8/1000)².

    Below that a thousand iterations are too few for the asymptotic rate to matter, and
    more momentum only prolongs the transient.
    """
    mu, largest = curvature
    ratio = max(mu / _positive(largest), (8.0 / 1000.0) ** 2)
    return (1.0 - np.sqrt(min(1.0, ratio))) ** 2


# --- sizes: the first automatic step --------------------------------------------------


class Lipschitz:
    """gd: η = min(2/(L + μ), 1.8/L); momentum: 1/L; with a batch 1.5 (1 − λ)/L_B.

    2/(L + μ) is the best constant step in the limit, but for large L/μ it leaves the
    steepest direction where it is for thousands of steps. The largest curvature met is
    kept, so that in a stream the step never grows.
    """

    def __init__(self, steepest=0.0):
        self.steepest = steepest

    @property
    def memory(self):
        return {"steepest": self.steepest}

    def first(self, state):
        momentum = getattr(state.rule, "momentum", None)
        if state.walk.batch is not None:
            curvature = state.objective.batch_curvature(state.walk.batch)
            share = LONG_BATCH * (1.0 - (momentum or 0.0))
        else:
            mu, curvature = state.objective.curvature
            share = 1.0
            if momentum is None:
                share = min(LONG, 2.0 / (1.0 + mu / _positive(curvature)))
        self.steepest = max(self.steepest, curvature)
        return share / _positive(self.steepest)

    def follow(self, rule, w):
        """Nothing to do: the step depends on the data alone."""


class Reach:
    """Distance over gradients, by coordinate: the size for adagrad and rmsprop.

    The reach η_j of a coordinate is the largest distance it has been from its start
    (Ivgi, Hinder and Carmon 2023, here by coordinate), begun at a tenth of what changes
    the predictions by their deviation, 0.1 √(2F₀/h_j) for the squared error, and ε is
    relative, ε·h_j·2F₀ there. That makes the path independent of the units of the
    columns and of y. The effective step is capped at 1.8/(Λ h_j), or 1.5/(Λ_B h_j),
    below its stability bound. For rmsprop, where g/√G is noise of size one near the
    optimum, the cap is what makes it converge; for both it keeps rounding errors from
    growing (uncapped, adagrad turns 1e-16 into 1e-3 on raw tables).
    """

    def __init__(self, start=None, reach=0.0, h=0.0, deviation=0.0, steepest=0.0):
        self.start = start
        self.reach = reach
        self.h = h
        self.deviation = deviation
        self.steepest = steepest

    @property
    def memory(self):
        return vars(self).copy()

    def first(self, state):
        objective, rule, batch = state.objective, state.rule, state.walk.batch
        if self.start is None:
            self.start = state.w.copy()
        if batch is None:
            # First: it takes many vectors on the way.
            curvature, share = objective.scaled_curvature, LONG
        self.h = np.maximum(self.h, objective.diagonal)
        h_inverse = inverse(self.h)
        if batch is not None:
            curvature, share = objective.batch_curvature(batch, h_inverse), LONG_BATCH
        c = objective.curvature_bound
        # A chunk of one row has no deviation, but it may have a residual.
        size = objective.prediction_size(state.F)
        self.deviation = max(self.deviation, objective.deviation, size)
        self.reach = np.maximum(
            self.reach, 0.1 * self.deviation * np.sqrt(c * h_inverse)
        )
        self.steepest = max(self.steepest, curvature)
        slope = c * self.deviation if objective.loss.is_quadratic else objective.slope
        rule.eps = rule.given_eps * self.h / c * slope**2 + TINY
        rule.cap = share * h_inverse / _positive(self.steepest)
        # Shared, so that what the rule adds to it is in the memory of the stream.
        rule.reach = self.reach
        rule.start = self.start
        return 1.0

    def follow(self, rule, w):
        rule.visit(w)


class Unit:
    """γ = 1: Newton's own step."""

    memory = {}

    def first(self, state):
        return 1.0

    def follow(self, rule, w):
        """Nothing to do."""


# --- policies: what becomes of the step -----------------------------------------------


class Float:
    """The user's η with its schedule: the textbook's iterates.

    Parameters
    ----------
    eta : float
    schedule : {"constant", "invscaling", "adaptive"}
    power_t : float
    """

    automatic = False

    def __init__(self, eta, schedule="constant", power_t=0.25):
        self.eta = eta
        self.schedule = schedule
        self.power = power_t if schedule == "invscaling" else 0.0

    def begin(self, state):
        state.heeds_rise = False
        state.heeds_plateau = self.schedule == "adaptive"
        state.ceiling = LARGE * state.start_F
        state.set_step(self.eta, self.power)

    def after(self, state):
        if not state.is_finite:
            return DIVERGED
        if state.F > LARGE * state.start_F and state.beyond_stable_step:
            return DIVERGED
        if state.walk.batch is None and state.gradient_is_small:
            return SMALL_GRADIENT
        if state.stopping.tol is None or not state.plateau:
            return None
        if self.schedule == "adaptive":
            state.set_step(state.eta / 5.0, 0.0)
            if state.eta < 1e-6 * self.eta:
                return "converged: the step has become 1e-6 of its start"
        elif state.walk.batch is not None:
            return "converged: F no longer falls by more than tol"
        return None


class Restarting:
    """Automatic steps over all rows: F may ripple, and the best iterate is returned.

    A rise of F forgets the momentum (O'Donoghue and Candès 2015). Without momentum, F
    falls with every step whose D has D^½ H D^½ < 2, which 1.8/L and the cap of a reach
    see to; should it rise all the same, L was too small and the step is halved.
    """

    automatic = True

    def __init__(self, size):
        self.size = size

    def begin(self, state):
        self.restarted = 0
        state.set_step(self.size.first(state))

    def after(self, state):
        self.size.follow(state.rule, state.w)
        rose = state.is_above(state.previous_F)
        plain = "m" not in state.rule.state_names or state.n_iter == self.restarted + 1
        if not state.is_finite or (rose and plain):
            state.back_to_best()
            state.set_step(state.eta / 2.0)
        if rose:
            state.rule.restart()
            self.restarted = state.n_iter
        return SMALL_GRADIENT if state.gradient_is_small else None


class Smoothing:
    """Automatic steps over all rows for a loss with a kink, which has no curvature.

    The steps are those of the smoothed loss (``Loss.width``), F is that of the loss
    itself, and its best iterate is returned. The first width is that of the residuals;
    whenever the gradient has become small, or the steps of a stage are used up, the
    next stage has a quarter of the width and twice the steps, since accelerated steps
    need √4 times as many (Nesterov 2005; Allen-Zhu and Hazan 2016 for the halving).
    Momentum is forgotten when it points uphill (O'Donoghue and Candès 2015): F itself
    says little of the smoothed F.
    """

    automatic = True

    def __init__(self, size):
        self.size = size

    def begin(self, state):
        self.width = state.objective.deviation
        self.end = max(state.tol, 1e-9) * self.width
        self.steps = STAGE
        self.growth = 2 if "m" in state.rule.state_names else 4
        state.single_steps = True
        self._begin_stage(state)

    def _begin_stage(self, state):
        self.begun = state.n_iter
        self.tol = STAGE_TOL * np.sqrt(self.width / state.objective.deviation)
        state.objective.loss.width = self.width
        state.rule.restart()
        state.evaluate()
        state.set_step(self.size.first(state))

    def after(self, state):
        self.size.follow(state.rule, state.w)
        if not state.is_finite:
            state.back_to_best()
            state.set_step(state.eta / 2.0)
        if state.g @ state.step > 0.0:
            state.rule.restart()
        small = state.gradient_ratio
        last = self.width <= self.end
        if last and small <= max(state.tol, state.noise_ratio):
            return SMALL_GRADIENT
        over = state.n_iter - self.begun >= self.steps
        if not last and (small <= self.tol or over):
            self.width = max(self.width / 4.0, self.end)
            self.steps *= self.growth
            self._begin_stage(state)
        state.may_judge = (state.n_iter - self.begun) % (state.patience * STAGE) == 0
        return None


class Refining:
    """Newton's steps while they help: each further one is iterative refinement."""

    automatic = True

    def __init__(self, size):
        self.size = size

    def begin(self, state):
        self.shift = np.inf
        state.set_step(self.size.first(state))

    def after(self, state):
        shift = state.shift
        small = shift <= 1e-15 * state.length or not state.g.any()
        if small or shift > 0.5 * self.shift:
            return "converged: the step is at rounding level"
        self.shift = shift
        return None


class Damped:
    """Newton's steps where F is no quadratic, each searched for (Armijo 1966)."""

    automatic = True

    def __init__(self, size):
        self.size = size

    def begin(self, state):
        state.set_step(self.size.first(state))

    def after(self, state):
        if state.settled or not state.g.any():
            return "converged: the step is at rounding level"
        return None


class EpochNoise:
    """What the noise of single rows leaves of F − F* at the mean of an epoch.

    Steps of length η hover about the optimum with a covariance near 2F* η/(2 − x) I,
    x = η tr M. What the rows say at the optimum cancels in an epoch, which has each row
    once. What their curvature adds, (aaᵀ − M)(w − w*), does not: it leaves about
    size/n · x/(2 − x) · F*. The start leaves 1/(η n μ)² of its own F − F*. A batch and
    momentum make η/(B (1 − λ)) of η.

    Parameters
    ----------
    state : State
        Of a quadratic F, with a sample of its rows.
    """

    def __init__(self, state):
        objective = state.objective
        geometry, ridge = objective.geometry, objective.ridge
        trace = geometry.diagonal(ridge).sum()
        mu = geometry.rough_lowest(ridge)
        momentum = getattr(state.rule, "momentum", 0.0)
        self.unit = trace / ((1.0 - momentum) * state.walk.batch)  # x/η
        self.share = objective.size / objective.data.n
        self.memory = trace / (objective.data.n * mu) if mu > 0.0 else np.inf

    def first(self, eta, tol):
        """Return a step with which one epoch is enough if y is noise, or else η."""
        quiet = self._step(0.5 * tol / self.share)
        forgets = self.memory <= np.sqrt(tol) * self.unit * quiet
        return min(eta, quiet) if forgets else eta

    def next(self, state, excess):
        """Return a step that leaves tol/2, None if more than noise is left now.

        From the mean of an epoch a short step has little to forget: where the noise at
        the end of the next would be the larger part, it is not shorter.
        """
        x = self.unit * state.eta
        noise = x / (2.0 - x)
        F = state.best_F / state.objective.constant_F
        if excess > 4.0 * self.share * noise * F:
            return None
        quiet = self._step(0.5 * state.tol / excess * noise)
        least = self.memory / np.sqrt(self.share) / self.unit
        return min(0.5 * state.eta, max(quiet, least))

    def _step(self, noise):
        """Return the η whose x/(2 − x) this is."""
        return round_up(2.0 * noise / (1.0 + noise) / self.unit)


class Halving:
    """Automatic steps with a batch: the step halves when F stays on a plateau.

    F at the mean of an epoch's iterates decides. On a plateau the fit stops if F is
    within tol of the optimum, where that can be told, and else goes on from the best
    mean with half the step, waiting twice as long for the next plateau: half the step
    needs twice the epochs to come as far. (With constant patience a direction of small
    curvature, in which F falls by less than tol in five epochs, ends the fit: R² gaps
    of 1e-2 instead of 1e-4 on tables of 20 to 100 rows.) The fit also stops when two
    halvings in a row have brought less than tol.

    The step halves at once, and the patience stays, where successive means show that
    what keeps F up is noise alone: their ways from the optimum have less than half of
    it in common, and no more than tol/2. (On 15 standardised tables that is 281 epochs
    of sgd on average, not 298; on 20,000 rows of 300 columns 14, not 921.)

    With many rows a few epochs must do, and each costs time: the distance from the
    optimum, told by a sample of the rows, is looked at after each epoch, one epoch is
    enough for the first plateau, and one halving in vain for the end. Where that
    distance is but noise (``EpochNoise``), no epoch is spent on telling a plateau.

    With many rows whose distance from the optimum can't be told, the patience stays
    where F rises on a plateau (20,000 rows of 2000 columns: 87 epochs, not 1000).

    A loss with a kink is smoothed over a width in proportion to the step, so that the
    step stays as long as the smoothed loss allows.
    """

    automatic = True

    def __init__(self, size):
        self.size = size

    def begin(self, state):
        self.F = np.inf
        self.futile = 0
        self.last, self.pairs, self.epochs = None, [], 0
        loss = state.objective.loss
        if not loss.has_second:
            loss.width = state.objective.deviation
        state.set_step(self.size.first(state))
        self.hasty = state.objective.has_sample
        self.noise = None
        if self.hasty:
            state.patience = 1
            by_coordinate = hasattr(state.rule, "reach")
            if state.tol and state.objective.loss.is_quadratic and not by_coordinate:
                self.noise = EpochNoise(state)
                state.set_step(self.noise.first(state.eta, state.tol))

    def after(self, state):
        self.size.follow(state.rule, state.w)
        if state.F <= state.objective.F_noise:
            return "converged: every row is met to rounding"
        over = state.plateau or not state.is_finite
        self.epochs += 1
        last, self.last = self.last, (state.F, state.point, state.point_g)
        excess = None
        # To know it takes as long as a short epoch: after 1, 2, 4, 8, … of this step.
        if over or self.hasty or self.epochs.bit_count() == 1:
            excess = state.excess()
        is_close = excess is not None and excess <= state.tol
        shorter = None
        if excess is not None and state.is_finite and not (is_close and self.hasty):
            shorter = self._shorter(state, last, excess)
        if is_close and (over or self.hasty or shorter is not None):
            return "converged: F is within tol of the optimum"
        if not over and shorter is None:
            return None
        if over:
            begun = state.best_F < state.start_F  # else the step was too long by far
            gained = state.best_F < (1.0 - state.tol) * self.F
            self.futile = 0 if gained or not begun else self.futile + 1
            if self.futile >= (1 if self.hasty else 2):
                return "converged: smaller steps no longer lower F by more than tol"
            self.F = state.best_F
            # An epoch of many rows has steps enough to tell noise by a rise of F.
            many = state.objective.data.n >= MANY_ROWS
            noisy = excess is None and many and not state.still_falls
            if not noisy:
                state.patience *= 2
        self.pairs, self.epochs = [], 0
        state.back_to_best()
        state.rule.restart()
        state.objective.loss.width /= 2.0
        state.set_step(shorter or state.eta / 2.0)
        state.may_judge = True
        return None

    def _shorter(self, state, last, excess):
        """Return the next step if nothing but noise keeps F up, else None."""
        if self.noise is not None:
            return self.noise.next(state, excess)
        return state.eta / 2.0 if self._is_there(state, last, excess) else None

    def _is_there(self, state, last, excess):
        """Return whether the noise of the steps alone keeps F up.

        What two successive means have in common of their way from the optimum, in the
        metric of H, is what steps of this length have yet to cover. The rest, ξ and ξ′,
        is noise, and by chance even ξᵀHξ′ of m pairs in d dimensions has a mean of
        ξᵀHξ/√(md).
        """
        if last is None or not np.isfinite(last[0]):
            return False
        F_0 = state.objective.constant_F
        F, w, g = last
        least = state.best_F - excess * F_0
        apart = 0.5 * (state.point_g - g) @ (state.point - w)
        self.pairs.append(((F + state.F) / 2.0 - least, apart / 2.0))
        height, apart = np.mean(self.pairs, axis=0)
        chance = height / np.sqrt(len(self.pairs) * state.objective.size)
        return bool(height - apart + chance <= 0.5 * min(state.tol, excess) * F_0)
