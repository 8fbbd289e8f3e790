"""A processor instruction that numba has no function for: fetching memory ahead."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

LINE = 64
"""Bytes of a cache line."""


def _prefetch(_: Any, array: Any, place: Any) -> Any:
    """The signature and code that numba needs: a call of LLVM's `prefetch` (read, keep, data cache)."""

    def generate(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        byte, word = ir.IntType(8).as_pointer(), ir.IntType(32)
        kind = ir.FunctionType(ir.VoidType(), [byte, word, word, word])
        function = builder.module.declare_intrinsic("llvm.prefetch", [byte], kind)
        data = context.make_array(signature.args[0])(context, builder, arguments[0]).data
        address = builder.bitcast(builder.gep(data, [arguments[1]]), byte)
        builder.call(function, [address, word(0), word(3), word(1)])
        return context.get_dummy_value()

    return types.void(array, place), generate


fetch_soon = cast(Callable[[NDArray[Any], int], None], intrinsic(_prefetch))
"""`fetch_soon(array, i)` in compiled code: load the cache line of array[i]; no effect outside the array."""
