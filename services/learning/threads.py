"""Imported before numpy: one thread for its linear algebra.

The arrays here are small, so that more threads only wait for each other. And sums of floats depend
on how many threads add them: with one, the same record gives the same bytes wherever it is folded.
"""

import os

os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ.setdefault("OMP_NUM_THREADS", "1")
