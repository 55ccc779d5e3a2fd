"""
Search for a step, a batch and a penalty
========================================

The parameters of the solver are parameters like others: a pipeline with a scaler goes
into ``GridSearchCV``, and the search tries steps, batch sizes and penalties. Beside it
stands what the same model does with no step to search for.
"""

# %%
# The table: 442 people with diabetes, and all products of two of their ten
# measurements, 65 columns. That many columns want some penalty. Momentum makes
# thirty epochs in batches; the step must not be too long, nor too short for thirty.

import warnings

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gd import GDRegressor

X, y = load_diabetes(return_X_y=True, scaled=False)
model = Pipeline(
    [
        ("scale", StandardScaler()),
        ("products", PolynomialFeatures(2, include_bias=False)),
        ("scale_again", StandardScaler()),
        ("gd", GDRegressor("momentum", max_iter=30, tol=None, random_state=0)),
    ]
)
folds = KFold(5, shuffle=True, random_state=0)

# %%
# Five steps, three batch sizes, three penalties: 45 candidates, each fitted five times.
# A step that is too long for its batch diverges; the fit says so and returns its best
# iterate, so the search goes on, and the score tells.

grid = {
    "gd__learning_rate": [1e-4, 3e-4, 1e-3, 3e-3, 1e-2],
    "gd__batch_size": [8, 32, 128],
    "gd__alpha": [0.0, 0.1, 1.0],
}
with warnings.catch_warnings():
    warnings.simplefilter("ignore", ConvergenceWarning)
    search = GridSearchCV(model, grid, cv=folds).fit(X, y)
best = ", ".join(f"{key[4:]}={value}" for key, value in search.best_params_.items())
print(f"{best}: R² {search.best_score_:.3f}")

# %%
# With automatic steps only the penalty is left to search for.

automatic = GDRegressor("momentum", max_iter=1000, tol=1e-3)
few = GridSearchCV(
    model.set_params(gd=automatic),
    {"gd__alpha": [0.01, 0.03, 0.1, 0.3, 1.0]},
    cv=folds,
)
few.fit(X, y)
print(f"automatic steps, alpha={few.best_params_['gd__alpha']}: {few.best_score_:.3f}")

# %%
# Each curve is a batch size, with the best penalty for each step. Small batches make
# more steps in thirty epochs, so that a shorter step will do, and they bear only
# shorter ones.

scores = search.cv_results_["mean_test_score"].reshape(3, 3, 5)  # alpha, batch, step
by_batch = scores.max(axis=0)
figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
styles = zip(["-o", "--s", "-.^"], ["#0072B2", "#D55E00", "#009E73"], strict=True)
for batch, row, (style, colour) in zip([8, 32, 128], by_batch, styles, strict=True):
    steps = grid["gd__learning_rate"]
    ax.plot(steps, row, style, color=colour, label=f"batches of {batch} rows")
ax.axhline(few.best_score_, color="black", label="automatic steps, all rows")
ax.set_xscale("log")
ax.set_ylim(-0.1, 0.75)
ax.set_xlabel("step η of momentum")
ax.set_ylabel("R² on rows held out, mean of 5 folds")
ax.set_title("A search over steps and batches, thirty epochs each")
ax.legend(frameon=False, loc="upper center", ncols=2)
plt.show()

# %%
# How much the folds themselves differ, beside which a third digit means little:

spread = np.ptp([few.cv_results_[f"split{k}_test_score"].max() for k in range(5)])
print(f"best and worst fold are {spread:.2f} of R² apart")
