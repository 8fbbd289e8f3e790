"""One thread in each process of the tests, as in a worker of a run: threads that wait for each other burn the
processors that parallel tests share. Where threads are what is tested, the test asks for them.
"""

import os

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")  # read once, when the library is loaded
