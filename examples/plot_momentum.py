"""
Without and with momentum
=========================

The picture of every course, on real columns: two measurements of one thing make a long
valley. Gradient descent crosses it at each step and creeps along it; momentum remembers
the way along, and the crossings cancel.
"""

# %%
# In the diabetes table, s1 is the total cholesterol and s2 its "bad" part. They say
# much the same: their correlation of 0.9 makes F 18 times as steep across the valley
# as along it. All columns have mean 0, so that the intercept has nothing to do.

import matplotlib.pyplot as plt
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from sklearn_gd import GDRegressor, TrajectoryDisplay

X, y = load_diabetes(return_X_y=True, as_frame=True, scaled=False)
X = X[["s1", "s2"]]
X[:], y = StandardScaler().fit_transform(X), y - y.mean()
mu, L = GDRegressor("gd").fit(X, y).curvature_
print(f"correlation {X.corr().iloc[0, 1]:.2f}, condition number {L / mu:.1f}")

# %%
# Both take the same 25 steps of 1.8/L, nine tenths of what gradient descent can bear.
# ``tol=None`` makes exactly ``max_iter`` iterations, and ``store_path`` keeps them.

common = {"learning_rate": 1.8 / L, "max_iter": 25, "tol": None, "store_path": True}
without = GDRegressor("gd", **common).fit(X, y)
with_momentum = GDRegressor("momentum", momentum=0.4, **common).fit(X, y)

figure, axes = plt.subplots(1, 2, figsize=(10, 4.5), sharey=True, layout="constrained")
titles = "without momentum", "with momentum 0.4"
for ax, model, title in zip(axes, [without, with_momentum], titles, strict=True):
    TrajectoryDisplay.from_estimator(
        model, X, y, limits=((-4, 28), (-17, 15)), grid_resolution=80, ax=ax
    )
    ax.set_title(f"{title}: 25 steps")
plt.show()

# %%
# How far the two are from the minimum, as the part of F − F* that is left:

best = GDRegressor("newton").fit(X, y).loss_
for name, model in zip(titles, [without, with_momentum], strict=True):
    left = (model.loss_ - best) / (model.loss_curve_[0] - best)
    print(f"{name}: {left:.0e}")
