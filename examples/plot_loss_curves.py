"""
Seven solvers on one table
==========================

What each of the seven leaves of F − F*, with no step to tune: the standardised diabetes
table, and the default ``learning_rate="auto"``. Then early stopping, which asks rows
that were held out when to stop.
"""

# %%
# F* is what newton finds. One epoch of sgd or minibatch reads all rows once, as one
# iteration of the others does.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gd import GDRegressor, LossCurveDisplay

X, y = load_diabetes(return_X_y=True, scaled=False)
X = StandardScaler().fit_transform(X)

solvers = ["gd", "momentum", "newton", "sgd", "minibatch", "adagrad", "rmsprop"]
with warnings.catch_warnings():
    # adagrad is not quite done after 1000 iterations.
    warnings.simplefilter("ignore", ConvergenceWarning)
    fits = {solver: GDRegressor(solver, random_state=0).fit(X, y) for solver in solvers}
optimum = fits["newton"].loss_
start = fits["newton"].loss_curve_[0]
for solver, fit in fits.items():
    left = (fit.loss_ - optimum) / (start - optimum)
    print(f"{solver:10}{fit.n_iter_:5} iterations, {left:.0e} of F − F* left")

# %%
# Both axes are logarithmic, but for iteration 0. newton is at the minimum after one
# step, up to the rounding of F, far below where the axis ends.

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
display = LossCurveDisplay.from_estimators(list(fits.values()), optimum=optimum, ax=ax)
ax.set_xscale("symlog", linthresh=1)
ax.set_xlim(left=0)
ax.set_ylim(1e-4, 5e3)
ax.set_title("The diabetes table, steps chosen by the solvers")
plt.show()

# %%
# Early stopping: 150 patients, and 65 columns, all squares and products included. Three
# rows of ten are held out. ``tol=None`` lets the fit run on, to see what it would have
# come to; it returns the circled iterate all the same, whose score on the rows held out
# was best. F falls on, but the patients that no fit has seen are predicted ever worse.

products = PolynomialFeatures(2, include_bias=False).fit_transform(X)
Z = StandardScaler().fit_transform(products)
early = GDRegressor(
    "gd",
    early_stopping=True,
    validation_fraction=0.3,
    max_iter=1000,
    tol=None,
    store_path=True,
    random_state=0,
).fit(Z[:150], y[:150])
unseen = y[150:, None] - Z[150:] @ early.coef_path_.T - early.intercept_path_
unseen = 0.5 * np.mean(unseen**2, axis=0)
returned = 1 + np.argmax(early.validation_scores_)
for when, k in ("start", 0), ("returned", returned), ("end", 1000):
    print(f"{when:9} iteration {k:4}, loss of unseen patients {unseen[k]:5.0f}")
print(f"lowest at iteration {unseen.argmin()}, {unseen.min():.0f}")

figure, ax = plt.subplots(figsize=(8, 5), layout="constrained")
LossCurveDisplay.from_estimator(
    early, name="F, on the rows of the fit", yscale="linear", ax=ax
)
ax.plot(unseen, "--", color="black", label="loss of unseen patients")
ax.set_xscale("symlog", linthresh=1)
ax.set_xlim(left=0)
ax.set_title("150 patients, 65 columns: when to stop")
ax.legend(frameon=False)
plt.show()
