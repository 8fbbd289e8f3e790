"""Which kernel answers in the place of an estimator, and the file that holds one."""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from cocal.classify.estimators import Classifier, estimator_types
from cocal.classify.kernel.forests import BoostingKernel, ForestKernel
from cocal.classify.kernel.perceptron import RELU, PerceptronKernel
from cocal.errors import CocalWarning

Kernel = ForestKernel | BoostingKernel | PerceptronKernel


class KernelWarning(CocalWarning):
    """An estimator that no kernel can take: scikit-learn predicts, with the same result, and slower."""


def kernel_of(estimator: Any) -> Kernel | None:
    """A kernel that answers as `estimator` does; None if it is not one that a kernel can take.

    Taken are RandomForestClassifier and ExtraTreesClassifier with one output, HistGradientBoostingClassifier without a
    categorical feature, and MLPClassifier with rectified linear units.
    """
    forest, extra, boosting, perceptron = estimator_types().values()
    if isinstance(estimator, forest | extra) and estimator.n_outputs_ == 1:
        return ForestKernel.of(estimator)
    if isinstance(estimator, boosting) and estimator.is_categorical_ is None:
        return BoostingKernel.of(estimator)
    if isinstance(estimator, perceptron) and estimator.activation == RELU:
        return PerceptronKernel.of(estimator)
    return None


def write_kernel(kernel: Kernel) -> bytes:
    """The kernel as an .npz file of plain arrays: no estimator has to be unpacked to predict."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **kernel.arrays)
    return buffer.getvalue()


def read_kernel(data: bytes) -> Kernel:
    """The kernel that `write_kernel` wrote.

    Raises
    ------
    KeyError, ValueError
        It is no such file.
    """
    with np.load(io.BytesIO(data), allow_pickle=False) as file:
        arrays = dict(file)
    if "weights0" in arrays:
        return PerceptronKernel.read(arrays)
    return BoostingKernel.read(arrays) if "baseline" in arrays else ForestKernel.read(arrays)


def accelerated(estimator: Classifier) -> Classifier:
    """The kernel of `estimator`; itself, with a KernelWarning, where no kernel can take it."""
    kernel = kernel_of(estimator)
    if kernel is None:
        warnings.warn(
            f"no kernel for {type(estimator).__name__}: scikit-learn predicts, which is slower", KernelWarning,
            stacklevel=2,
        )  # fmt: skip
        return estimator
    return kernel
