import os

# scikit-learn runs its array API check only if this is set before scipy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"
# Pictures are drawn, never shown.
os.environ["MPLBACKEND"] = "Agg"
