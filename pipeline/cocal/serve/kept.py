"""What was made for one request, kept for the next: in memory by its address, and in the browser by its ETag.

An address is the SHA-256 of what a response is made of and of the code that makes it, so what is kept under
it never has to be made again. The browser asks each time whether its own is still the one (`no-cache`), by
which access is checked each time.
"""

from __future__ import annotations

import re
import threading
from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from starlette.requests import Request
from starlette.responses import Response

T = TypeVar("T", bound=Any)

_TAG = re.compile(r'"[^"]*"|\*')


class Kept(Generic[T]):
    """Bytes or arrays by address: those used last, at most `most` bytes in all.

    Examples
    --------
    >>> kept = Kept(10)
    >>> kept.get("a", lambda: b"12345678"), kept.get("b", lambda: b"123")
    (b'12345678', b'123')
    >>> kept.get("b", lambda: b"made again"), kept.get("a", lambda: b"made again")
    (b'123', b'made again')
    """

    def __init__(self, most: int) -> None:
        self._most, self._used = most, 0
        self._values: OrderedDict[str, T] = OrderedDict()
        self._made: dict[str, Future[T]] = {}
        self._lock = threading.Lock()

    def get(self, address: str, make: Callable[[], T]) -> T:
        """The value at `address`; `make()` the first time, once for all who wait for it."""
        with self._lock:
            if address in self._values:
                self._values.move_to_end(address)
                return self._values[address]
            waited = self._made.get(address)
            if waited is None:
                own: Future[T] = Future()
                self._made[address] = own
        if waited is not None:
            return waited.result()
        try:
            value = make()
        except BaseException as err:
            own.set_exception(err)
            raise
        else:
            own.set_result(value)
            self._keep(address, value)
            return value
        finally:
            del self._made[address]

    def _keep(self, address: str, value: T) -> None:
        with self._lock:
            self._values[address] = value
            self._used += memoryview(value).nbytes
            while self._used > self._most:
                _, oldest = self._values.popitem(last=False)
                self._used -= memoryview(oldest).nbytes


def answered(
    request: Request, kept: Kept[bytes], address: str, make: Callable[[], bytes], media_type: str
) -> Response:
    """The response of this address: 304 without a body where the browser has it."""
    headers = {"ETag": f'"{address}"', "Cache-Control": "private, no-cache"}
    offered = _TAG.findall(request.headers.get("if-none-match", ""))
    if headers["ETag"] in offered or "*" in offered:
        return Response(status_code=304, headers=headers)
    return Response(kept.get(address, make), media_type=media_type, headers=headers)
