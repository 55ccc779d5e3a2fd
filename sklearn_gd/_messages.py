"""What the user should know of a fit, told from its State."""

import numpy as np

from sklearn_gd._state import ASKED

# A fit that stops further than this from the optimum, in units of F₀, says so.
FAR = 1e-3
# The same for a float step with batches, whose noise seldom lets it come that near.
FAR_IN_NOISE = 1e-2
# A fit by newton says so if fewer digits of the coefficients can be trusted.
DIGITS = 6


def diverged(state):
    height = f"to {state.F:.3g}" if np.isfinite(state.F) else "past any number"
    return (
        f"The fit diverged with learning_rate={state.eta:g}: F rose from "
        f"{state.start_F:.3g} {height} in {_made(state)}. The best iterate before that "
        f"is returned. {_a_stable_step(state)}"
    )


def above_its_start(state):
    return (
        f"F ended at {state.F:.3g}, above the {state.start_F:.3g} it began with, after "
        f"{_made(state)} with learning_rate={state.eta:g}. {_a_stable_step(state)}"
    )


def of_fits(states, results):
    """Return the warnings of the fits of all targets, each once.

    No step can tell a column whose squares are 0 from a column of zeros, nor such a y
    from a constant.
    """
    small = "so small that squares underflow, and can't be fitted. Multiply"
    texts = [
        f"y is {small} it by a constant."
        if state.objective.vanishes
        else result.warning
        for state, result in zip(states, results, strict=True)
    ]
    if count := states[0].objective.geometry.vanishing:
        what = f"{count} columns of X are" if count > 1 else "A column of X is"
        texts.append(f"{what} {small} by a constant.")
    return dict.fromkeys(text for text in texts if text is not None)


def _a_stable_step(state):
    bound = state.stable_step
    if bound is None:
        return "Use a smaller learning_rate, or learning_rate='auto'."
    exact = state.walk.batch is None and state.objective.loss.is_quadratic
    kind = "largest stable step" if exact else "surely stable step"
    # At the bound itself F need not fall.
    return (
        f"The {kind} is {_floor(bound)}: use learning_rate={_floor(0.9 * bound)} or "
        "less, or learning_rate='auto'."
    )


def _made(state):
    return f"{state.n_iter} {state.walk.unit if state.n_iter > 1 else state.walk.one}"


def _floor(bound, digits=3):
    """Return the bound in words, rounded down, so that it is itself stable."""
    unit = 10.0 ** (np.floor(np.log10(bound)) - digits + 1)
    return f"{np.floor(bound / unit) * unit:.{digits}g}"


def score_still_rose(state):
    # With a width the score is judged when that is used up, whatever the patience.
    sooner = (
        "increase tol" if state.objective.loss.width else "decrease n_iter_no_change"
    )
    return (
        f"Not stopped early in max_iter={_made(state)}: the validation score still "
        f"rises. Increase max_iter, or {sooner}."
    )


def progress(states):
    """Return the line that ``verbose`` prints after an iteration."""
    state = max(states, key=lambda state: state.n_iter)
    F = sum(state.curve[-1] for state in states)
    line = f"{state.walk.one.capitalize()} {state.walk.epoch:>5}  F = {F:.6e}"
    line += f"  learning rate = {state.rates[-1]:.3e}"
    scores = [state.scores[-1] for state in states if state.scores]
    if scores:
        line += f"  validation score = {np.mean(scores):.6f}"
    return line


def short_of_the_optimum(state, w):
    """Return what to say of a fit that ended at w, None if it is close enough."""
    automatic, reason = state.policy.automatic, state.reason
    if automatic and state.walk.second_order and state.objective.loss.is_quadratic:
        message = few_digits(state.relative_error, state.objective.condition)
        if message is not None:
            return message
    if reason == ASKED:
        return None
    # A stop on a plateau is trusted only if it can be checked, and then it is.
    excess = state.excess() if automatic and not state.walk.second_order else None
    ratio = 0.0
    if reason is None or (automatic and excess is None):
        ratio = state.objective.gradient_ratio(w, state.gradient(w))
    if ratio > state.tol:
        limit = "max_iter=" if reason is None else ""
        message = (
            f"Not converged in {limit}{_made(state)}: the largest scaled component of "
            f"the gradient is {ratio:.1e}, and tol={state.tol:g}. "
        )
        return message + _advice(state)
    far = FAR
    if not automatic:
        excess = state.least_excess(w)
        far = FAR if state.walk.batch is None else FAR_IN_NOISE
    if excess is None or excess <= max(far, state.tol):
        return None
    # Of a loss with a kink the envelope's width is a bound, and as a rule a rough one.
    bounded = automatic and not state.objective.loss.has_second
    by = "by up to" if bounded else "by"
    message = (
        f"The fit stopped after {_made(state)} with F still above the optimum {by} "
        f"{excess:.2g} times F of a constant model. "
    )
    return message + _advice(state)


def few_digits(error, condition):
    """Return what to say of coefficients that are so wrong, None if not very much."""
    if error <= 10.0**-DIGITS:
        return None
    digits = max(0, int(-np.log10(error)))
    return (
        f"Of the coefficients only about {digits} digits can be trusted: the columns "
        f"are nearly collinear, the condition number is {condition:.1e}. Drop some "
        "columns, set alpha > 0, or center and scale columns before taking powers."
    )


def _advice(state):
    automatic, second_order = state.policy.automatic, state.walk.second_order
    if automatic and second_order:
        return "The columns are nearly collinear: drop some, or set alpha > 0."
    takes_newton = state.objective.takes_newton and not second_order
    newton = ", or use solver='newton'" if takes_newton else ""
    if state.objective.has_gram and not second_order:
        mu, largest = state.objective.geometry.extremes(state.objective.ridge)
        if largest > 1e4 * mu:
            size = f"{largest / mu:.1e}" if mu > 0.0 else "infinite"
            return (
                f"The condition number of the Hessian is {size}: scale the columns, "
                f"for example with StandardScaler{newton}."
            )
    if automatic:
        more = "Increase max_iter" if state.reason is None else "Decrease tol"
        return f"{more}{newton}."
    other = newton.replace(", or use", " or") if newton else ""
    return f"{_further(state)}, or use learning_rate='auto'{other}."


def _further(state):
    """Return how a float step comes further."""
    bound = state.stable_step
    longer = "learning_rate"
    if bound is not None:
        longer += f" (up to {_floor(0.9 * bound)} is stable)"
    short = bound is not None and state.eta < 0.1 * bound
    if state.reason is None:
        return f"Increase {longer} or max_iter" if short else "Increase max_iter"
    if state.policy.schedule == "adaptive":
        return f"Increase {longer} or n_iter_no_change, or decrease tol"
    if state.walk.batch is None:
        return "Decrease tol"
    if state.still_falls:
        return f"F still falls, but slowly: increase {longer}, or decrease tol"
    return (
        "F no longer falls with this step: decrease learning_rate, or set "
        "schedule='adaptive'"
    )
