"""Dask collections: their blocks of rows, whatever they are cut into.

Dask is imported only where one of them was passed.
"""

import sys
from functools import partial

import numpy as np
from scipy import sparse
from sklearn.utils import check_array

from sklearn_gd._data import check_indices


def is_chunked(X):
    """Whether X is a Dask array or dataframe: Dask is never imported to find out."""
    return isinstance(X, _kinds("dask.array", "Array")) or _is_frame(X)


def _is_frame(X):
    return isinstance(X, _kinds("dask.dataframe", "DataFrame", "Series"))


def _kinds(module, *names):
    module = sys.modules.get(module)
    return tuple(getattr(module, name) for name in names if hasattr(module, name))


def load_dask():
    try:
        import dask
        import dask.array
    except ImportError as error:
        raise ImportError(
            "X is a Dask collection, but Dask can't be imported: "
            f"{error}. Install it with: pip install 'sklearn-gd[dask]'"
        ) from error
    return dask


@np.errstate(all="ignore")
def valid_rows(x, dtype=None):
    """Return a block of X as the kernels take it; if no dtype is given, check it."""
    if sparse.issparse(x):
        check_indices(x)
    return check_array(
        x,
        accept_sparse="csr",
        dtype=[np.float64, np.float32] if dtype is None else dtype,
        order="C",
        ensure_all_finite=dtype is None,
        ensure_min_samples=0,
        input_name="X",
    )


def stand_in(X):
    """Return something small with the columns of X, and their names if it has any."""
    if X.ndim != 2:
        raise ValueError(
            f"Expected 2D array, got {X.ndim}D array instead. Reshape your data either "
            "using array.reshape(-1, 1) if your data has a single feature or "
            "array.reshape(1, -1) if it contains a single sample."
        )
    if _is_frame(X):
        return X._meta
    if np.isnan(X.shape[1]):
        raise ValueError(
            "The number of columns of X is unknown. Call X.compute_chunk_sizes()."
        )
    return np.empty((0, X.shape[1]))


def collected(values):
    return values.compute() if is_chunked(values) else values


def blocks_of(X):
    """Return the blocks of rows of a collection, as delayed objects."""
    if _is_frame(X):
        return X.to_delayed()
    if X.ndim == 2 and X.numblocks[1] > 1:
        X = X.rechunk({1: -1})
    return list(X.to_delayed().ravel())


def sizes_of(values):
    """Return the numbers of rows of the blocks, None if they are not known."""
    unknown = not is_chunked(values) or _is_frame(values)
    if unknown or np.isnan(values.shape[0]):
        return None
    return values.chunks[0]


def aligned(values, xs, sizes, own):
    """Return values in blocks as those of X, as far as their sizes are known."""
    if not is_chunked(values):
        values = np.asarray(values)
        sizes = _counted(xs) if sizes is None else sizes
        _check_lengths(sum(sizes), len(values))
        return np.split(values, np.cumsum(sizes)[:-1])
    blocks = blocks_of(values)
    unknown = len(blocks) == len(xs) and (own is None or sizes is None)
    if unknown or (own is not None and own == sizes):
        return blocks
    own = _counted(blocks) if own is None else own
    sizes = _counted(xs) if sizes is None else sizes
    _check_lengths(sum(sizes), sum(own))
    if _is_frame(values):
        blocks = map(load_dask().delayed(np.asarray, pure=False), blocks)
    array = _joined(blocks, own, values.shape[1:])
    return blocks_of(array.rechunk({0: tuple(sizes)}))


def _counted(blocks):
    dask = load_dask()
    return dask.compute(*map(dask.delayed(len, pure=False), blocks))


def _check_lengths(rows, length):
    if rows != length:
        raise ValueError(
            "Found input variables with inconsistent numbers of samples: "
            f"{[int(rows), int(length)]}"
        )


def _joined(blocks, sizes, shape, dtype=np.float64):
    dask = load_dask()
    return dask.array.concatenate(
        [
            dask.array.from_delayed(block, (size, *shape), dtype=dtype)
            for block, size in zip(blocks, sizes, strict=True)
        ]
    )


def lazily(function, X):
    """Return function of the rows of X, block by block, as a Dask array.

    Parameters
    ----------
    function : callable
        Takes a valid block.
    X : dask Array or DataFrame of shape (n, d)
    """
    dask = load_dask()
    d = stand_in(X).shape[1]
    on_block = partial(_on_valid, function)
    if _is_frame(X):
        nothing = on_block(X._meta)
        shape, dtype = nothing.shape[1:], nothing.dtype
        blocks = [dask.delayed(on_block, pure=False)(block) for block in blocks_of(X)]
        return _joined(blocks, [np.nan] * len(blocks), shape, dtype)
    X = X.rechunk({1: -1})
    nothing = on_block(np.empty((0, d), dtype=X.dtype))
    if nothing.ndim == 1:
        return X.map_blocks(on_block, drop_axis=1, meta=nothing)
    return X.map_blocks(on_block, chunks=(X.chunks[0], nothing.shape[1:]), meta=nothing)


def _on_valid(function, x):
    return function(valid_rows(x))
