"""
A stream of rows: newton and sgd
================================

A table that comes in pieces, or does not fit in memory, is learned by ``partial_fit``.
newton keeps sums of squares and products, and so is exact: after each piece it has the
fit of all rows so far. sgd keeps nothing but its coefficients.
"""

# %%
# RAND's health insurance experiment of the 1970s: 20,190 person-years, how often each
# saw a doctor, and nine columns on insurance, health and age. Rows in random order come
# in 41 pieces of 500. Standardising needs means and deviations; a stream can take them
# from its first rows.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.linear_model import LinearRegression
from sklearn.preprocessing import StandardScaler
from statsmodels.datasets import randhie

from sklearn_gd import GDRegressor

table = randhie.load_pandas().data.sample(frac=1.0, random_state=0)
y = table.pop("mdvis").to_numpy(dtype=float)
X = table.to_numpy(dtype=float)
X = StandardScaler().fit(X[:1000]).transform(X)
pieces = [slice(k, k + 500) for k in range(0, len(X), 500)]

# %%
# The best that any linear model can do on these rows, and how far a stream is from it.

best = LinearRegression().fit(X, y)
F_best = 0.5 * np.mean((y - best.predict(X)) ** 2)
F_constant = 0.5 * np.var(y)


def gap(model):
    """F on all rows above its minimum, as a part of what there was to gain."""
    F = 0.5 * np.mean((y - model.predict(X)) ** 2)
    return (F - F_best) / (F_constant - F_best)


# %%
# Four models see each piece once. The step of the last one fades like 1/√t.

models = {
    "newton, exact": GDRegressor("newton"),
    "sgd, automatic steps": GDRegressor("sgd", random_state=0),
    "sgd, η = 0.01": GDRegressor("sgd", learning_rate=0.01, random_state=0),
    "sgd, η = 0.05 / √t": GDRegressor(
        "sgd",
        learning_rate=0.05,
        schedule="invscaling",
        power_t=0.5,
        random_state=0,
    ),
}
gaps = {name: [] for name in models}
for piece in pieces:
    for name, model in models.items():
        gaps[name].append(gap(model.partial_fit(X[piece], y[piece])))
for name in models:
    print(f"{name:22} after all rows: {gaps[name][-1]:8.1e} of F0 − F* left")

difference = np.abs(models["newton, exact"].coef_ - best.coef_).max()
print(f"newton's coefficients differ from LinearRegression's by {difference:.0e}")

# %%
# newton is as good as the rows seen so far allow, and at the end exact. These rows are
# noisy: no linear model explains more than 7% of their variance. So sgd with a constant
# step never settles, and automatic steps, whose length is what the columns allow, not
# what the noise does, hardly do. What helps in a stream is a step that fades. sgd is
# for columns so many that newton's d × d numbers would be too much.

figure, ax = plt.subplots(figsize=(7.5, 4.5), layout="constrained")
styles = zip(
    ["-", "--", ":", "-."], ["black", "#0072B2", "#D55E00", "#009E73"], strict=True
)
seen = np.minimum(500 * np.arange(1, len(pieces) + 1), len(X))
for (name, values), (style, colour) in zip(gaps.items(), styles, strict=True):
    ax.plot(seen, values, style, color=colour, linewidth=1.5, label=name)
ax.set_xscale("log")
ax.set_yscale("log")
ax.set_ylim(1e-4, 20)
ax.set_xlabel("rows seen")
ax.set_ylabel("(F − F*) / (F₀ − F*) on all rows")
ax.set_title("Visits to the doctor, learned from a stream")
ax.legend(frameon=False)
plt.show()
