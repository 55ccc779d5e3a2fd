import os
from importlib.util import find_spec

# scikit-learn runs its array API check only if this is set before scipy is imported.
os.environ["SCIPY_ARRAY_API"] = "1"
# Pictures are drawn, never shown.
os.environ["MPLBACKEND"] = "Agg"

# There are none before scikit-learn 1.9.
collect_ignore = [] if find_spec("sklearn.callback") else ["test_callbacks.py"]
