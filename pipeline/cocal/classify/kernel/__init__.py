"""Forests and boosted trees predicted without scikit-learn: the same bits, several times faster.

forests   what answers in the place of an estimator, and its file
trees     scikit-learn's trees as flat arrays
walk      the compiled part; prefetch: what Python has no word for
"""

from cocal.classify.kernel.forests import (
    BoostingKernel,
    ForestKernel,
    KernelWarning,
    accelerated,
    kernel_of,
    read_kernel,
    write_kernel,
)

__all__ = [
    "BoostingKernel",
    "ForestKernel",
    "KernelWarning",
    "accelerated",
    "kernel_of",
    "read_kernel",
    "write_kernel",
]
