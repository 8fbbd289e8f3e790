"""An instruction that Python has no word for."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

from llvmlite import ir
from numba import types
from numba.extending import intrinsic
from numpy.typing import NDArray

LINE = 64
"""Bytes that a processor fetches at once."""


def _prefetch(_: Any, array: Any, place: Any) -> Any:
    """What numba asks: the types, and a call of LLVM's `prefetch`: to read, to be kept, of data."""

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
"""`fetch_soon(array, i)` in compiled code: bring the line of array[i] near. Nothing happens where there is none."""
