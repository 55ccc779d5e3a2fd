"""The lecture's loops in plain NumPy, written again without a look at the package."""

import numpy as np


def batches(n, batch):
    return [np.arange(i, min(i + batch, n)) for i in range(0, n, batch)]


def rule_step(solver, w, g, state, eta, momentum=0.9, rho=0.9, eps=1e-16):
    """One step of a rule: the table of rules that the tests run over."""
    if solver in ("gd", "sgd", "minibatch"):
        return w - eta * g
    if solver == "momentum":
        state["m"] = momentum * state.get("m", 0.0) + g
        return w - eta * state["m"]
    if solver == "adagrad":
        state["G"] = state.get("G", 0.0) + g**2
        return w - eta * g / np.sqrt(state["G"] + eps)
    if solver == "rmsprop":
        state["G"] = rho * state.get("G", 0.0) + (1 - rho) * g**2
        return w - eta * g / np.sqrt(state["G"] + eps)
    raise KeyError(solver)


def fit(
    solver,
    X,
    y,
    *,
    eta,
    epochs,
    batch=None,
    s=None,
    alpha=0.0,
    fit_intercept=True,
    power=0.0,
    **parameters,
):
    """Return (w, b) after some epochs over the rows in their order."""
    n, d = X.shape
    s = np.ones(n) if s is None else s * n / s.sum()
    A = np.c_[X, np.ones(n)] if fit_intercept else X
    penalised = np.ones(A.shape[1])
    penalised[d:] = 0.0
    w = np.zeros(A.shape[1])
    state, t = {}, 0
    for _ in range(epochs):
        for rows in batches(n, batch or n):
            t += 1
            r = A[rows] @ w - y[rows]
            g = A[rows].T @ (s[rows] * r) / len(rows) + alpha * penalised * w
            if solver == "newton":
                H = A.T @ (s[:, None] * A) / n + alpha * np.diag(penalised)
                w = w - eta * np.linalg.solve(H, g)
            else:
                w = rule_step(solver, w, g, state, eta / t**power, **parameters)
    return w[:d], (w[d] if fit_intercept else 0.0)


def objective(X, y, w, b, s=None, alpha=0.0):
    s = np.ones(len(y)) if s is None else s
    return 0.5 * s @ (y - X @ w - b) ** 2 / s.sum() + 0.5 * alpha * w @ w
