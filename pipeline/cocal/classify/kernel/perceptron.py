"""A perceptron predicted without scikit-learn, by products of matrices with pixels side by side.

The order of additions in such a product depends on the processor and the shape. So a probability may differ
from the estimator's `predict_proba`, or between machines, by the rounding of float64, 1e-15.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from cocal.classify.kernel.checks import need, need_array

RELU = "relu"
"""The only supported activation of hidden layers."""

Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class PerceptronKernel:
    """A `Classifier` of layers, as MLPClassifier: float64 `weights` (in, out), `offsets` (out,) of each."""

    classes_: NDArray[Any]
    weights: tuple[Floats, ...]
    offsets: tuple[Floats, ...]

    @classmethod
    def of(cls, estimator: Any) -> PerceptronKernel:
        """The kernel of a fitted MLPClassifier."""
        return cls(estimator.classes_, tuple(estimator.coefs_), tuple(estimator.intercepts_))

    @classmethod
    def read(cls, arrays: dict[str, NDArray[Any]]) -> PerceptronKernel:
        """The kernel with these `arrays`."""
        layers = range(sum(name.startswith("weights") for name in arrays))
        need(len(arrays) == 1 + 2 * len(layers), "arrays are missing or unknown")
        weights, offsets = (tuple(arrays[f"{name}{i}"] for i in layers) for name in ("weights", "offsets"))
        width: int | None = None
        dtype = np.dtype(np.float32 if arrays["weights0"].dtype == np.float32 else np.float64)
        for i, (layer, offset) in enumerate(zip(weights, offsets, strict=True)):
            need_array(f"weights{i}", layer, dtype, (width, None))
            width = layer.shape[1]
            need_array(f"offsets{i}", offset, dtype, (width,))
        classes = len(arrays["classes_"])
        need(
            width == (classes if classes > 2 else 1) and len(weights[0]), "the layers do not fit the classes"
        )
        return cls(arrays["classes_"], weights, offsets)

    @property
    def arrays(self) -> dict[str, NDArray[Any]]:
        """The content of the kernel's file: name -> array."""
        layers = {f"weights{i}": w for i, w in enumerate(self.weights)}
        return {"classes_": self.classes_} | layers | {f"offsets{i}": b for i, b in enumerate(self.offsets)}

    @property
    def n_features_in_(self) -> int:
        return len(self.weights[0])

    def predict_proba(self, X: NDArray[np.float32]) -> Floats:
        sums: Floats = X.T.astype(np.float64)
        for number, (weights, offsets) in enumerate(zip(self.weights, self.offsets, strict=True)):
            values = np.maximum(sums, 0, out=sums) if number else sums
            sums = weights.T @ values
            sums += offsets[:, np.newaxis]
        if len(sums) == 1:
            from scipy.special import expit  # a fifth of a second that other models do without

            second = expit(sums[0])
            return np.column_stack([1 - second, second])
        sums -= sums.max(axis=0)
        np.exp(sums, out=sums)
        sums /= sums.sum(axis=0)
        return sums.T
