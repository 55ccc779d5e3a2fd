"""
Early stopping, and what the fit keeps of its way
=================================================

A fit that goes on for long enough learns the noise of its rows too. Early stopping
holds some rows out, looks at the R² there after every epoch, and returns the model for
which it was highest. What it saw on the way stays in ``loss_curve_`` and
``validation_scores_``.
"""

# %%
# The table: 442 diabetes patients, ten measurements each, and how their disease went on
# a year later. Squares and products of the measurements make 65 columns, of which the
# 177 rows that teach can learn more than is true of the 265 others.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.datasets import load_diabetes
from sklearn.model_selection import train_test_split
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import PolynomialFeatures, StandardScaler

from sklearn_gd import GDRegressor

X, y = load_diabetes(return_X_y=True)
parts = train_test_split(X, y, train_size=0.4, random_state=0)
X_train, X_test, y_train, y_test = parts


def fitted(**parameters):
    gd = GDRegressor("minibatch", learning_rate=1e-3, random_state=0, **parameters)
    columns = PolynomialFeatures(2, include_bias=False)
    return make_pipeline(columns, StandardScaler(), gd).fit(X_train, y_train)


# %%
# One fit stops when the R² of a fifth of its rows has not risen for 20 epochs; another
# makes 2000 epochs of all of them. ``store_path`` keeps the coefficients of each epoch,
# so that the rows which neither has seen can judge them all.

early = fitted(
    early_stopping=True,
    validation_fraction=0.2,
    n_iter_no_change=20,
    max_iter=2000,
    store_path=True,
)
late = fitted(max_iter=2000, tol=None, store_path=True)


def test_scores(model):
    A = model[:-1].transform(X_test)
    f = A @ model[-1].coef_path_.T + model[-1].intercept_path_
    return 1.0 - np.mean((y_test[:, None] - f) ** 2, axis=0) / np.var(y_test)


best = 1 + int(np.argmax(early[-1].validation_scores_))
for name, model in {"early": early, "late": late}.items():
    print(
        f"{name:5} {model[-1].n_iter_:4} epochs, R² of new rows "
        f"{model.score(X_test, y_test):.3f}: {model[-1].stop_reason_}"
    )

# %%
# F of the rows that teach keeps falling. The R² of the new rows falls again from about
# epoch 400 on, and there the rows that were held out have ended the other fit. They
# were not free: it learnt from a fifth fewer rows.

figure, (above, below) = plt.subplots(
    2, 1, sharex=True, figsize=(8, 6), layout="constrained"
)
colours = {"early": "#D55E00", "late": "#0072B2"}
for name, model in {"late": late, "early": early}.items():
    curve, scores = model[-1].loss_curve_, test_scores(model)
    epochs = np.arange(1, len(curve))
    above.plot(epochs, curve[1:], colours[name], label=f"F, {name}")
    below.plot(epochs, scores[1:], colours[name], label=f"R² of new rows, {name}")
scores = early[-1].validation_scores_
below.plot(np.arange(1, len(scores) + 1), scores, "black", label="R² of rows held out")
for ax in (above, below):
    ax.axvline(best, color="0.6", linewidth=1, linestyle="--")
    ax.legend(frameon=False)
below.annotate(
    f"kept: epoch {best}",
    (best, 0.05),
    xytext=(5, 0),
    color="0.4",
    textcoords="offset points",
)
above.set_yscale("log")
below.set_xlim(100, 2000)
below.set_ylim(0.0, 0.5)
below.set_xlabel("epoch")
above.set_ylabel("F")
below.set_ylabel("R²")
above.set_title("Stopped when rows that were held out no longer gain")
plt.show()
