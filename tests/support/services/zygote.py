"""Downloads that can be killed: everything is imported once, each download is a forked process.

Reads the path of a configuration a line, forks a download of it, writes its process id; the next line `wait`
writes how it ended: a signal's number below zero, else the exit code.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import TracebackType
from typing import IO

HERE = Path(__file__)


class Zygote:
    """Starts downloads in processes of their own."""

    def __init__(self, log: Path) -> None:
        self._log = log.open("ab")

    def __enter__(self) -> Zygote:
        self.process = subprocess.Popen(
            [sys.executable, str(HERE)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            text=True,
        )
        assert self._ask(None) == "ready"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, err: BaseException | None, at: TracebackType | None
    ) -> None:
        self.process.communicate()
        self._log.close()

    def start(self, config: Path) -> int:
        """The process id of a download that has begun."""
        return int(self._ask(str(config)))

    def wait(self) -> int:
        """How the last one ended."""
        return int(self._ask("wait"))

    def _ask(self, line: str | None) -> str:
        talk: tuple[IO[str] | None, IO[str] | None] = self.process.stdin, self.process.stdout
        assert talk[0]
        assert talk[1]
        if line is not None:
            talk[0].write(line + "\n")
            talk[0].flush()
        return talk[1].readline().strip()


def _download(config: str) -> int:
    from cocal.config import read_config
    from cocal.errors import CocalError
    from cocal.run import run

    try:
        result = run(read_config(config), last="download")
    except CocalError as err:
        print(err, file=sys.stderr)
        return 1
    return 1 if result.failures else 0


def main() -> None:
    import logging

    import cocal.run
    import cocal.scenes.download.hub
    import cocal.scenes.download.stac  # noqa: F401

    logging.basicConfig(level=logging.DEBUG, stream=sys.stderr)
    print("ready", flush=True)
    child = 0
    for line in sys.stdin:
        if line.strip() == "wait":
            _, status = os.waitpid(child, 0)
            print(os.waitstatus_to_exitcode(status), flush=True)
            continue
        child = os.fork()
        if child == 0:
            os._exit(_download(line.strip()))
        print(child, flush=True)


if __name__ == "__main__":
    main()
