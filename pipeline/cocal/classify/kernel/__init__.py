"""Prediction without scikit-learn: trees to the bit, perceptrons within rounding, several times faster.

forests     forests and boosted trees      perceptron   products of matrices
trees       scikit-learn's trees as flat arrays
walk        the compiled part              prefetch     an instruction that fetches memory ahead
checks      what arrays from a file must be
"""

from __future__ import annotations

import io
import warnings
from typing import Any

import numpy as np

from cocal.classify.estimators import PERCEPTRON, Classifier, estimator_types
from cocal.classify.kernel.checks import check_classes, read_arrays
from cocal.classify.kernel.forests import BoostingKernel, ForestKernel
from cocal.classify.kernel.perceptron import RELU, PerceptronKernel
from cocal.errors import CocalWarning

Kernel = ForestKernel | BoostingKernel | PerceptronKernel


class KernelWarning(CocalWarning):
    """There is no kernel for an estimator: scikit-learn predicts, with the same result, but slower."""


def kernel_of(estimator: Any) -> Kernel | None:
    """The kernel with the predictions of `estimator`; None if there is none.

    There are kernels for RandomForestClassifier and ExtraTreesClassifier with one output,
    HistGradientBoostingClassifier without a categorical feature, and MLPClassifier with rectified linear
    units.
    """
    types = estimator_types()
    if isinstance(estimator, types["random_forest"] | types["extra_trees"]) and estimator.n_outputs_ == 1:
        return ForestKernel.of(estimator)
    if isinstance(estimator, types["hist_gradient_boosting"]) and estimator.is_categorical_ is None:
        return BoostingKernel.of(estimator)
    if isinstance(estimator, types[PERCEPTRON]) and estimator.activation == RELU:
        return PerceptronKernel.of(estimator)
    return None


def write_kernel(kernel: Kernel) -> bytes:
    """The content of an .npz file of plain arrays: nothing has to be unpacked to predict."""
    buffer = io.BytesIO()
    np.savez(buffer, allow_pickle=False, **kernel.arrays)
    return buffer.getvalue()


def read_kernel(data: bytes) -> Kernel:
    """The kernel in the content that `write_kernel` returned.

    Raises
    ------
    KeyError, ValueError, BadZipFile
        `data` is not such content, or compiled code could not walk it.
    """
    arrays = read_arrays(data)
    check_classes(arrays["classes_"])
    if "weights0" in arrays:
        return PerceptronKernel.read(arrays)
    return BoostingKernel.read(arrays) if "baseline" in arrays else ForestKernel.read(arrays)


def accelerated(estimator: Classifier) -> Classifier:
    """The kernel of `estimator`; `estimator` itself, with a KernelWarning, if there is none."""
    kernel = kernel_of(estimator)
    if kernel is None:
        warnings.warn(
            f"no kernel for {type(estimator).__name__}: scikit-learn predicts, which is slower",
            KernelWarning,
            stacklevel=2,
        )
        return estimator
    return kernel
