"""numba's `njit` with a cache on disk that an edit anywhere in the code of the kernels makes anew.

numba checks only the file of the compiled function: a constant or a kernel imported from another module,
edited there, would stay the old one. So the folder of its cache is named by the code of everything that is
compiled here.
"""

from __future__ import annotations

import logging
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from numba import config as numba_config
from numba import njit as numba_njit  # noqa: TID251 - the one place

from cocal.caches import keyed_folder, user_cache
from cocal.code import code_of_users

_config: Any = numba_config
log = logging.getLogger(__name__)

Function = TypeVar("Function", bound=Callable[..., Any])


def njit(**options: Any) -> Callable[[Function], Function]:
    """Decorator that compiles a function with the options of `numba.njit` and keeps the result on disk."""

    def compiled(function: Function) -> Function:
        chosen = _config.CACHE_DIR
        _config.CACHE_DIR = str(cache_folder())
        try:
            kernel: Function = numba_njit(cache=True, **options)(function)
        finally:
            _config.CACHE_DIR = chosen
        return kernel

    return compiled


@lru_cache(maxsize=1)
def cache_folder() -> Path:
    """Where compiled kernels of this code are kept: below `NUMBA_CACHE_DIR` if that is set, or in the user's
    cache.

    Where neither can be written, a folder that goes with the process.
    """
    key = code_of_users(f"{__name__}.njit")[:32]
    try:
        return keyed_folder(Path(_config.CACHE_DIR or user_cache("kernels")), key)
    except (OSError, RuntimeError) as err:
        log.warning(
            "kernels are compiled anew in every process: no folder can be written to keep them (%s)", err
        )
        return Path(_temporary().name)


@lru_cache(maxsize=1)
def _temporary() -> tempfile.TemporaryDirectory[str]:
    return tempfile.TemporaryDirectory(prefix="cocal-kernels-")
