"""
Losses that forgive mistakes in y
=================================

Somebody typed the data of a real table, and in one row of ten the decimal point of y
slipped. Squared error pays for a residual by its square, so these few rows pull the
coefficients away; Huber's loss, the absolute error and the median pay in proportion.
"""

# %%
# The table: the states of the USA and Washington, D.C., in 2009, their rate of murder,
# and four other columns. A fit of the clean data is what all others are held against.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler
from statsmodels.datasets import statecrime

from sklearn_gd import GDRegressor

table = statecrime.load()
names = [name for name in table.exog if name != "const"]
X = StandardScaler().fit_transform(table.exog[names])
y = table.endog.to_numpy(dtype=float)
clean = LinearRegression().fit(X, y)


def slip(y, rng):
    """Return y with one value of ten multiplied by ten."""
    rows = rng.choice(len(y), len(y) // 10, replace=False)
    wrong = y.copy()
    wrong[rows] *= 10.0
    return wrong


# %%
# Four losses, twenty times with other rows wrong. ``epsilon``, the residual from which
# on Huber's loss is linear, is left to the data, as are all steps.

losses = {
    "squared_error": ("#0072B2", "o"),
    "huber": ("#D55E00", "s"),
    "absolute_error": ("#009E73", "^"),
    "quantile": ("#CC79A7", "D"),
}
coefs = {}
for loss in losses:
    rng = np.random.default_rng(0)
    model = GDRegressor("momentum", loss=loss, quantile=0.5, max_iter=5000, tol=3e-4)
    coefs[loss] = np.array([model.fit(X, slip(y, rng)).coef_ for _ in range(20)])
    away = np.linalg.norm(coefs[loss] - clean.coef_, axis=1)
    share = away.mean() / np.linalg.norm(clean.coef_)
    print(f"{loss:15} mean distance to the clean coefficients: {share:4.0%}")

# %%
# Each marker is one fit; the bars are the coefficients of the clean fit.

figure, ax = plt.subplots(figsize=(8, 4.5), layout="constrained")
places = np.arange(len(names))
for k, (loss, (colour, marker)) in enumerate(losses.items()):
    x = np.repeat(places + 0.18 * (k - 1.5), 20)
    dots = coefs[loss].T.ravel()
    ax.scatter(x, dots, 18, colour, marker=marker, alpha=0.6, linewidths=0, label=loss)
ax.hlines(clean.coef_, places - 0.4, places + 0.4, "black", label="clean data")
ax.axhline(0.0, color="0.8", linewidth=0.8, zorder=0)
ax.set_xticks(places, names)
ax.set_ylabel("coefficient of the standardised column")
ax.set_title("Coefficients when one y in ten is ten times too large, 20 times over")
ax.legend(frameon=False)
plt.show()
