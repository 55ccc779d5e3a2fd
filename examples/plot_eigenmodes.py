"""
Where the error goes
====================

On a quadratic, each eigen-direction of the Hessian is a fit of its own: gradient
descent multiplies the error there by 1 − ηλ at every step. Directions of large
curvature λ are done at once; the flattest sets how long it all takes. Momentum speeds
up the flat ones.
"""

# %%
# The diabetes table, standardised: ten directions, the steepest 470 times as curved as
# the flattest. ``store_path`` keeps every iterate, and newton gives the minimum.

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from sklearn_gd import GDRegressor

X, y = load_diabetes(return_X_y=True, scaled=False)
X = StandardScaler().fit_transform(X)
curvatures, directions = np.linalg.eigh(X.T @ X / len(X))
best = GDRegressor("newton").fit(X, y).coef_
L, mu = curvatures[-1], curvatures[0]
print("curvatures:", " ".join(f"{c:.3g}" for c in curvatures[::-1]))

# %%
# Two fits of 300 steps, both with step 1/L; the momentum is the one that "auto" takes.

common = {"learning_rate": 1 / L, "max_iter": 300, "tol": None, "store_path": True}
momentum = (1 - np.sqrt(mu / L)) ** 2
fits = {
    "gradient descent": GDRegressor("gd", **common).fit(X, y),
    f"momentum {momentum:.2f}": GDRegressor(
        "momentum", momentum=momentum, **common
    ).fit(X, y),
}
errors = {
    name: np.abs((fit.coef_path_ - best) @ directions) for name, fit in fits.items()
}

# %%
# Gradient descent does what the formula says, number for number:

steps = np.arange(301)
(plain, _) = errors.values()
formula = plain[0] * np.abs(1 - curvatures / L) ** steps[:, None]
print(f"largest difference to |1 − ηλ|ᵏ: {np.abs(plain - formula).max():.0e}")

# %%
# The error left, as a part of that at the start. Every row is a direction, the steepest
# on top. Under gradient descent they finish one after the other, and the last hardly
# begins. Under momentum all of them go down together, at the rate √β; the stripes are
# the ripples of complex eigenvalues.

figure, axes = plt.subplots(1, 2, figsize=(11, 4), sharey=True, layout="constrained")
rows = np.arange(len(curvatures))
for ax, (name, error) in zip(axes, errors.items(), strict=True):
    left = np.maximum(error / error[0], 1e-6)[:, ::-1].T
    shown = ax.pcolormesh(steps, rows, left, norm=LogNorm(1e-6, 1), cmap="cividis")
    ax.set(xlabel="iteration", title=name)
axes[0].set_yticks(rows, [f"{c:.2g}" for c in curvatures[::-1]])
axes[0].invert_yaxis()
axes[0].set_ylabel("curvature λ of the direction")
figure.colorbar(shown, ax=axes, label="error left, of that at the start", extend="min")
plt.show()
