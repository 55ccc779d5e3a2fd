"""How far one iteration goes: one step on all rows, or one epoch in batches."""

import numpy as np

from sklearn_gd._core.epoch import Mean, Steps
from sklearn_gd._core.quadratic import ROUNDING
from sklearn_gd._data import Traveller
from sklearn_gd._factor import EPS
from sklearn_gd._objective import DAMPING, values_and_gradients
from sklearn_gd._state import evaluate

# A Newton step that promises to lower F by less than this, relative to F, leaves F and
# is the last: it is 1e-10 of what the residuals amount to, and exact to a few digits.
SETTLED = 1e-20
# Damping is raised after so many halvings of a step, by this factor, up to one.
HALVINGS, MORE_DAMPING = 6, 100.0
# A searched step must bring this part of what its slope promises (Armijo 1966).
PROMISE = 1e-4


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
        if state.n_iter > 0 and objective.is_delicate(state.w):
            state.g = objective.delicate_gradient(state.w)
        p = objective.newton_direction(state.w, state.g)
        gain = 0.5 * (state.g @ p)
        state.rule.apply(state.w, p, eta)
        settled = gain <= SETTLED * state.F and objective.has_triangle
        if settled and not objective.is_delicate(state.w):
            state.g = (1.0 - eta) * state.g
            return False
        known = objective.after_newton(state.w) if state.policy.automatic else None
        if known is not None:
            state.point, (state.F, state.g) = state.w, known
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
        damping, state.share = state.damping, 0.0
        while damping <= MORE_DAMPING:
            p = objective.damped_direction(w, g, damping)
            slope = 0.0 if p is None else g @ p
            if p is not None and slope <= EPS * F + objective.F_noise:
                state.w[:], state.share = w - p, 1.0
                state.evaluate()
                break
            for halvings in range(HALVINGS if slope > 0.0 else 0):
                state.share = step = 0.5**halvings
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
            state.w[:], state.share = w, 0.0
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
        state.pass_by(curve[:-1], etas[: len(curve) - 1])
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
        travellers = [
            Traveller(
                state.objective.problem,
                state.rule,
                state.w,
                state.steps,
                Mean(state.objective.size, self.average),
            )
            for state in states
        ]
        data = states[0].objective.data
        losses = data.visit(travellers, self.order, self.batch)
        for state, traveller in zip(states, travellers, strict=True):
            state.steps = traveller.steps
            state.point = traveller.mean.w if self.average else state.w
        if self.exact:
            found = values_and_gradients(
                [state.objective for state in states], [state.point for state in states]
            )
            for state, (F, g) in zip(states, found, strict=True):
                state.F, state.point_g = F, g
        else:
            for state, loss in zip(states, losses, strict=True):
                state.F = loss + state.objective.penalty_value(state.point)
