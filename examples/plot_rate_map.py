"""
Which step, and how much momentum?
==================================

On a quadratic, gradient descent with momentum multiplies the error in each
eigen-direction of the Hessian by a matrix of two by two. Its larger eigenvalue is the
rate: what is left of the error after one more step. Goh, "Why Momentum Really Works"
(https://distill.pub/2017/momentum), draws it as a map, with five regimes.
"""

# %%
# The error in a direction of curvature λ, and the m of the step before, go on as
#
# .. math:: m \leftarrow \beta m + \lambda e, \qquad e \leftarrow e - \alpha m,
#
# with the step α and the momentum β. The product of the matrix' eigenvalues is β: where
# they are complex, both have the modulus √β, whatever α and λ are. (The article prints
# 2√β, which can't be: it would diverge from β = ¼ on.)

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.colors import LogNorm
from sklearn.datasets import load_diabetes
from sklearn.preprocessing import StandardScaler

from sklearn_gd import GDRegressor


def eigenvalues(alpha, beta, curvature=1.0):
    """Return both eigenvalues: the roots of z² − (1 + β − αλ) z + β."""
    half = 0.5 * (1.0 + beta - alpha * curvature) + 0j
    root = np.sqrt(half**2 - beta)
    return half - root, half + root


def rate(alpha, beta, curvature=1.0):
    """Return the larger modulus."""
    return np.maximum(*np.abs(eigenvalues(alpha, beta, curvature)))


assert np.isclose(rate(1.3, 0.64), np.sqrt(0.64))
assert np.isclose(rate(1.3, 0.0), abs(1.0 - 1.3))

# %%
# The real table: the diabetes data, standardised. The worst of all directions decides,
# and that is one of the two ends, the smallest curvature μ or the largest, L. The best
# pair is Polyak's; ``learning_rate="auto"`` takes a smaller step, 1/L, and the momentum
# that goes with it, because the best pair lets errors grow a lot before they fall.

X, y = load_diabetes(return_X_y=True, scaled=False)
X = StandardScaler().fit_transform(X)
auto = GDRegressor("momentum").fit(X, y)
mu, L = auto.curvature_
roots = np.sqrt(L), np.sqrt(mu)
marks = {
    "best": (4 / sum(roots) ** 2, ((roots[0] - roots[1]) / sum(roots)) ** 2),
    '"auto"': (auto.learning_rate_, auto.momentum_),
    "best without momentum": (2 / (L + mu), 0.0),
}


def worst_rate(alpha, beta):
    return np.maximum(rate(alpha, beta, mu), rate(alpha, beta, L))


# %%
# Is the map right? The fits' own rates, from steps 100 to 180: F − F* falls by the rate
# squared. (At the best pair the two eigenvalues are equal, which adds a factor that
# grows with the number of steps, and the rate is met only slowly.)

best = GDRegressor("newton").fit(X, y).loss_
print(f"condition number {L / mu:.0f}")
print(f"{'':24}{'step · L':>9}{'momentum':>10}{'rate':>8}{'measured':>10}")
for name, (alpha, beta) in marks.items():
    fit = GDRegressor(
        "momentum", learning_rate=alpha, momentum=beta, max_iter=180, tol=None
    ).fit(X, y)
    gap = np.array(fit.loss_curve_) - best
    measured = (gap[180] / gap[100]) ** (1 / 160)
    predicted = worst_rate(alpha, beta)
    print(f"{name:24}{alpha * L:9.2f}{beta:10.3f}{predicted:8.4f}{measured:10.4f}")

# %%
# Left, one direction: the map depends on αλ alone, and the eigenvalues tell the five
# regimes. Right, the whole table, where the smallest and the largest curvature leave a
# narrow wedge: how many steps it takes to gain a digit of the coefficients.

alpha, beta = np.meshgrid(np.linspace(0.0, 4.2, 841), np.linspace(0.0, 1.0, 601))
first, second = eigenvalues(alpha, beta)
rates = rate(alpha, beta)
is_complex = np.abs(first.imag) > 0.0
regime = np.select(
    [rates > 1.0, is_complex, second.real + first.real > 0.0], [3, 0, 1], 2
)

figure, axes = plt.subplots(1, 2, figsize=(12, 4.8), layout="constrained")
ax = axes[0]
inside = np.where(rates > 1.0, np.nan, rates)
shown = ax.contourf(alpha, beta, inside, np.linspace(0, 1, 11), cmap="cividis")
ax.contour(alpha, beta, regime, [0.5, 1.5, 2.5], colors="black", linewidths=1.2)
ax.plot(1.0, 0.0, "D", color="white", markeredgecolor="black", clip_on=False, zorder=3)
box = {"boxstyle": "round", "facecolor": "white", "edgecolor": "none", "alpha": 0.85}
text = {"ha": "center", "fontsize": 9, "bbox": box}
arrow = {"arrowstyle": "->", "shrinkB": 5}
ax.text(1.3, 0.62, "ripples: complex, rate √β", **text)
ax.text(3.3, 0.3, "divergence", **text)
for name, at, place in [
    ("one step: α = 1/λ", (1.0, 0.0), (1.2, 0.33)),
    ("monotone decrease", (0.25, 0.1), (0.75, 0.46)),
    ("monotone oscillations", (2.0, 0.06), (3.2, 0.06)),
]:
    ax.annotate(name, at, place, arrowprops=arrow, **text)
ax.set(xlabel="αλ: step times curvature", ylabel="β: momentum", title="One direction")
figure.colorbar(shown, ax=ax, label="rate: what a step leaves of the error")

ax = axes[1]
with np.errstate(divide="ignore"):
    steps = -1.0 / np.log10(np.minimum(worst_rate(alpha / L, beta), 1.0))
levels = [25, 30, 35, 40, 50, 75, 100, 150, 200, 300, 500, 1000, 2000]
shown = ax.contourf(
    alpha, beta, steps, levels, norm=LogNorm(25, 2000), cmap="cividis", extend="max"
)
ax.contour(alpha, beta, steps, levels, colors="black", linewidths=0.4)
ax.contourf(alpha, beta, worst_rate(alpha / L, beta), [1.0, np.inf], colors="white")
for (name, (step, momentum)), marker in zip(marks.items(), "*oX", strict=True):
    ax.plot(
        step * L,
        momentum,
        marker,
        color="white",
        markeredgecolor="black",
        markersize=13,
        clip_on=False,
        label=f"{name}: {worst_rate(step, momentum):.3f}",
        zorder=3,
    )
ax.legend(title="rate", loc=(0.41, 0.09), fontsize=9)
ax.set(xlabel="αL: step times largest curvature", title="The diabetes table")
ticks = [25, 40, 75, 150, 300, 500, 1000, 2000]
figure.colorbar(shown, ax=ax, label="steps for a digit", format="%d", ticks=ticks)
plt.show()
