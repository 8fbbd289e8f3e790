"""The exceptions of cocal. A command ends with the exit code of the exception.

2 for UsageError: ConfigError, InputError, OffsetError, ModelMismatchError. 75 for BusyError. 1 for others:
ContractError, SceneReadError with DamagedError, NotWrittenError, ClusterError, DownloadError with
SceneRefusedError, DownloadStoppedError, WorkFailedError. All warnings are CocalWarning.
"""

from __future__ import annotations


class CocalError(Exception):
    """Something failed: what, expected, found, and how to fix it.

    All arguments are positional strings, so that instances can be pickled between processes.
    """

    exit_code = 1

    def __init__(self, what: str, expected: str = "", found: str = "", remedy: str = "") -> None:
        super().__init__(what, expected, found, remedy)
        self.what, self.expected, self.found, self.remedy = what, expected, found, remedy

    def __str__(self) -> str:
        parts = {"expected": self.expected, "found": self.found, "fix": self.remedy}
        return "\n".join([self.what, *(f"  {label}: {text}" for label, text in parts.items() if text)])


class UsageError(CocalError):
    """Input or options of the user cannot be used."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration has problems; all are listed."""


class InputError(UsageError):
    """A file, table or raster of the user is missing or unusable."""


class OffsetError(UsageError):
    """The radiometric offset is unknown, or the data contradict it."""


class ModelMismatchError(UsageError):
    """A model was made for other features, another class scheme or contract."""


class BusyError(CocalError):
    """Another process holds the lock of the folder; the same command works once that ends."""

    exit_code = 75
    """EX_TEMPFAIL of sysexits.h."""


class CodeError(CocalError):
    """The code of a unit uses a form that cannot be followed in the source text."""


class ContractError(CocalError):
    """A Dataset or table between two stages breaks its contract."""


class SceneReadError(CocalError):
    """A raster of the archive cannot be read."""


class DamagedError(SceneReadError):
    """A file of a committed unit is not as it was committed. `mark` is the path of the unit's manifest."""

    def __init__(self, what: str, expected: str, found: str, remedy: str, mark: str) -> None:
        super().__init__(what, expected, found, remedy)
        self.mark = mark
        self.args = (what, expected, found, remedy, mark)


class NotWrittenError(CocalError):
    """A file that was written cannot be read back; it is not committed."""


class DownloadError(CocalError):
    """One tile-date could not be fetched; it stays unobserved and the next run retries."""


class SceneRefusedError(DownloadError):
    """The pixels of a fetched scene contradict its metadata; the service itself works."""


class DownloadStoppedError(CocalError):
    """Fetching must end (budget, quota, credentials, disk, service); the next run continues from there."""


class WorkFailedError(CocalError):
    """Part of the work failed and is listed; everything else is done and kept."""


class ClusterError(CocalError):
    """The Dask cluster cannot be reached, is lost or has no workers; what is committed is kept."""


class CocalWarning(UserWarning):
    """Base class of the warnings of cocal."""
