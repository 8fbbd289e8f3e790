"""The exception tree.

    CocalError                   exit code 1
    |- UsageError                exit code 2: input or options of the user cannot be used
    |  |- ConfigError            the YAML file; all problems at once
    |  |- InputError             a file, table or raster of the user is missing or unusable
    |  |- OffsetError            the radiometric offset is unknown, or the data contradict it
    |  `- ModelMismatchError     the model was made for other features, scheme or contract
    |- ContractError             a Dataset or table between two stages breaks its contract
    |- SceneReadError            a raster of the archive cannot be read
    |- DownloadError             one tile-date could not be fetched: it stays unobserved, the next run retries
    |  `- SceneRefusedError      a fetched scene contradicts its metadata
    |- DownloadStoppedError      fetching must end: budget, quota, credentials, disk, a service that is down
    |- CodeError                 the code of a unit uses a form that cannot be followed in the source text
    `- WorkFailedError           part of the work failed; the rest is done and kept

Warnings: CocalWarning is the base class of all.
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
        lines = [self.what]
        for label, text in (
            ("expected", self.expected),
            ("found", self.found),
            ("fix", self.remedy),
        ):
            if text:
                lines.append(f"  {label}: {text}")
        return "\n".join(lines)


class UsageError(CocalError):
    """Input or options of the user cannot be used."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration has problems; all of them are listed."""


class InputError(UsageError):
    """A file, table or raster of the user is missing or unusable."""


class OffsetError(UsageError):
    """The radiometric offset is unknown, or the data contradict it."""


class ModelMismatchError(UsageError):
    """A model does not fit the features, class scheme or contract of this run."""


class CodeError(CocalError):
    """The code of a unit uses a form that cannot be followed in the source text."""


class ContractError(CocalError):
    """A Dataset or table between two stages breaks its contract."""


class SceneReadError(CocalError):
    """A raster of the archive cannot be read."""


class DownloadError(CocalError):
    """One tile-date could not be fetched; it stays unobserved and the next run retries."""


class SceneRefusedError(DownloadError):
    """The pixels of a fetched scene contradict its metadata; the service itself works."""


class DownloadStoppedError(CocalError):
    """Fetching must end; what is committed is kept and the next run continues from there."""


class WorkFailedError(CocalError):
    """Part of the work failed and is listed; everything else is done and kept."""


class CocalWarning(UserWarning):
    """Base class of the warnings of cocal."""
