"""
A band instead of a line
========================

What households spend on food grows with their income, and so does the spread. Least
squares gives one line; three fits with ``loss="quantile"`` say between which lines four
households of five are found. These are Engel's 235 Belgian households of 1857.
"""

# %%
# One model a quantile. The income is standardised inside the pipeline, so that the
# steps of ``momentum`` suit it.

import matplotlib.pyplot as plt
import numpy as np
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from statsmodels.datasets import engel

from sklearn_gd import GDRegressor

table = engel.load_pandas().data
X, y = table[["income"]].to_numpy(), table["foodexp"].to_numpy()
grid = np.linspace(X.min(), X.max(), 100)[:, None]

bands = {}
for quantile in (0.1, 0.5, 0.9):
    gd = GDRegressor("momentum", loss="quantile", quantile=quantile, max_iter=5000)
    model = make_pipeline(StandardScaler(), gd.set_params(tol=1e-3)).fit(X, y)
    bands[quantile] = model.predict(grid)
    below = np.mean(y < model.predict(X))
    print(f"quantile {quantile}: {below:.1%} of the households lie below the line")

# %%
# The lines spread out: a constant margin around the mean would be too wide for the poor
# and too narrow for the rich.

figure, ax = plt.subplots(figsize=(7, 4.5), layout="constrained")
ax.scatter(X, y, 12, "0.45", linewidths=0, label="households")
ax.fill_between(grid[:, 0], bands[0.1], bands[0.9], color="#56B4E9", alpha=0.25)
for quantile, style in zip(bands, ["--", "-", "-."], strict=True):
    ax.plot(grid, bands[quantile], style, color="#0072B2", label=f"quantile {quantile}")
ax.set_xlabel("income (francs a year)")
ax.set_ylabel("spent on food (francs a year)")
ax.set_title("Engel's households: four of five are inside the band")
ax.legend(frameon=False)
plt.show()
