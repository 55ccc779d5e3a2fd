"""
Rows on a cluster: Dask arrays and dataframes
=============================================

A Dask array is cut into chunks of rows, which may lie on other machines. ``fit``,
``partial_fit``, ``predict`` and ``score`` take it as it is: what a sum over the rows
takes of a chunk is computed where the chunk lies, and only numbers of the size of the
coefficients, or of the Gram matrix, travel.
"""

# %%
# Two workers of a cluster in this process stand in for machines. On real ones
# ``Client("tcp://scheduler:8786")`` is all that changes; without a client, Dask's
# threads do the work.

import dask
import dask.array as da
import joblib
import matplotlib.pyplot as plt
import numpy as np
from distributed import Client, LocalCluster
from sklearn.model_selection import GridSearchCV

from sklearn_gd import GDRegressor

cluster = LocalCluster(
    n_workers=2, threads_per_worker=1, processes=False, dashboard_address=":0"
)
client = Client(cluster)

# %%
# 50,000 rows of ten columns, made in ten chunks by the workers, and kept there:
# a collection that is not persisted is read, or made, again in each pass.

rng = da.random.default_rng(0)
X = rng.standard_normal((50_000, 10), chunks=(5_000, 10))
w = np.arange(1.0, 11.0)
y = X @ w + 4.0 * rng.standard_normal(50_000, chunks=5_000)
X, y = dask.persist(X, y)

# %%
# Solvers on all rows find what they find in memory. newton and, with the squared error,
# the others read X two or three times in all; sgd's weights go from chunk to chunk.

table, target = X.compute(), y.compute()
for solver in ("newton", "momentum", "sgd"):
    model = GDRegressor(solver, random_state=0)
    here = model.fit(table, target).coef_
    there = model.fit(X, y).coef_
    print(f"{solver:9}{np.abs(there - here).max():9.1e} apart, ", end="")
    print(f"R² {model.score(X, y):.6f} after {model.n_iter_} iterations")

# %%
# Predictions are a Dask array, of which nothing is computed until it is asked for.

model.predict(X)

# %%
# A search sends its fits to the workers, each a whole fit of rows in memory: that is
# scikit-learn's and joblib's doing, for which Dask is a backend.

search = GridSearchCV(GDRegressor("newton"), {"alpha": [0.0, 0.1, 1.0]}, cv=3)
with joblib.parallel_backend("dask"):
    search.fit(table[:2000], target[:2000])
print(search.best_params_)

# %%
# Solvers with batches visit one chunk after the other. That is as good as a random
# order as long as each chunk looks like the whole. Where rows are sorted by the target
# it is not: after each chunk w is that of the last. Mix such rows once, or take a
# solver on all rows, to which their order is nothing.

by_target = np.argsort(target)
sorted_rows = da.from_array(table[by_target], chunks=(5_000, 10))
sorted_target = da.from_array(target[by_target], chunks=5_000)
best = GDRegressor("newton").fit(X, y).loss_
sgd = GDRegressor("sgd", learning_rate=1e-4, max_iter=10, tol=None, average=True)
sgd.set_params(random_state=0, store_path=True)

fig, ax = plt.subplots(layout="constrained")
for label, rows in {
    "rows in random order": (X, y),
    "rows sorted by the target": (sorted_rows, sorted_target),
}.items():
    path = sgd.fit(*rows)
    coef, intercept = path.coef_path_, path.intercept_path_
    F = [
        0.5 * np.mean((target - table @ w - b) ** 2)
        for w, b in zip(coef, intercept, strict=True)
    ]
    ax.semilogy(np.array(F) - best, marker=".", label=label)
ax.set(
    xlabel="epoch", ylabel="F above its minimum", title="sgd on ten chunks, η = 1e-4"
)
ax.legend()
plt.show()

# %%
# The docs on :doc:`/beyond_memory` and on :doc:`/costs_of_a_cluster` say more.

client.close()
cluster.close()
