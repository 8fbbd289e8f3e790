"""Models predicted without scikit-learn: trees to the bit, perceptrons but for rounding, several times faster.

kernels     which kernel answers in the place of an estimator, and its file
forests     forests and boosted trees      perceptron   layers of sums
trees       scikit-learn's trees as flat arrays
walk        the compiled part; prefetch: what Python has no word for
"""

from cocal.classify.kernel.forests import BoostingKernel, ForestKernel
from cocal.classify.kernel.kernels import (
    Kernel,
    KernelWarning,
    accelerated,
    kernel_of,
    read_kernel,
    write_kernel,
)
from cocal.classify.kernel.perceptron import PerceptronKernel

__all__ = [
    "BoostingKernel",
    "ForestKernel",
    "Kernel",
    "KernelWarning",
    "PerceptronKernel",
    "accelerated",
    "kernel_of",
    "read_kernel",
    "write_kernel",
]
