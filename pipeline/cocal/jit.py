"""numba's `njit` with a cache on disk that an edit anywhere in the code of the kernels makes anew.

numba checks only the file of the compiled function: a constant or a kernel imported from another module,
edited there, would stay the old one. So the folder of its cache is named by the code of everything that is
compiled here. And numba loads whatever the files hold: machine code with a flipped bit computes other
numbers. So a file whose content has another checksum than the one written beside it does not exist here.
"""

from __future__ import annotations

import hashlib
import io
import logging
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar

from numba import config as numba_config
from numba import njit as numba_njit  # noqa: TID251 - the one place
from numba.core.caching import IndexDataCacheFile

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
            kernel: Any = numba_njit(cache=True, **options)(function)
            kernel._cache._cache_file = _proven(kernel._cache._cache_file)
        finally:
            _config.CACHE_DIR = chosen
        return kernel  # type: ignore[no-any-return]

    return compiled


_Files: Any = IndexDataCacheFile


class _ProvenFiles(_Files):  # type: ignore[misc]
    """The index and the machine code of one kernel on disk, each with its SHA-256 in a file beside it."""

    @contextmanager
    def _open_for_write(self, filepath: str) -> Iterator[io.BytesIO]:
        content = io.BytesIO()
        yield content
        data = content.getvalue()
        for path, part in ((filepath, data), (f"{filepath}.sha256", hashlib.sha256(data).digest())):
            with super()._open_for_write(path) as file:
                file.write(part)

    def _load_index(self) -> Any:
        return super()._load_index() if _is_whole(self._index_path) else {}

    def _load_data(self, name: str) -> Any:
        if not _is_whole(self._data_path(name)):
            raise FileNotFoundError(name)
        return super()._load_data(name)


def _proven(files: Any) -> Any:
    own: Any = _ProvenFiles.__new__(_ProvenFiles)
    vars(own).update(vars(files))
    return own


def _is_whole(path: str) -> bool:
    try:
        data, stated = Path(path).read_bytes(), Path(f"{path}.sha256").read_bytes()
    except FileNotFoundError:
        return False
    return hashlib.sha256(data).digest() == stated


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
