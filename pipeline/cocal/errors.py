"""The exception tree.

    CocalError                   exit code 1
    |- UsageError                exit code 2: what the user gave cannot be used
    |  |- ConfigError            the YAML file, all problems at once
    |  |- InputError             a file, table or raster that was named
    |  |- OffsetError            radiometric offset unknown, or contradicted by the data
    |  `- ModelMismatchError     a model made for other features, scheme or contract
    |- ContractError             a Dataset or table between two stages is not what it must be
    |- SceneReadError            a raster of the archive cannot be read
    |- DownloadError             one tile-date could not be fetched: it stays unobserved, the next run tries again
    |  `- SceneRefusedError      it was fetched and is not what its metadata say
    |- DownloadStoppedError      fetching must end now: budget, quota, credentials, disk, a service that is down
    `- WorkFailedError           part of the work failed; the rest is done and kept

Warnings: CocalWarning, and below it FallbackWarning for anything done another way than asked.
"""

from __future__ import annotations


class CocalError(Exception):
    """Something failed: what, what was expected, what was found, what to do.

    All arguments are positional strings, so that instances survive pickling between processes.
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
            ("do", self.remedy),
        ):
            if text:
                lines.append(f"  {label}: {text}")
        return "\n".join(lines)


class UsageError(CocalError):
    """What the user gave cannot be used as it is."""

    exit_code = 2


class ConfigError(UsageError):
    """The configuration has problems; all of them are listed."""


class InputError(UsageError):
    """A named file, table or raster is missing or unusable."""


class OffsetError(UsageError):
    """The radiometric offset is unknown, or the data contradict it."""


class ModelMismatchError(UsageError):
    """A model does not fit the features, class scheme or contract of this run."""


class ContractError(CocalError):
    """A Dataset or table at a seam between two stages is not what its contract says."""


class SceneReadError(CocalError):
    """A raster of the archive cannot be read."""


class DownloadError(CocalError):
    """One tile-date could not be fetched; it stays unobserved and the next run tries again."""


class SceneRefusedError(DownloadError):
    """A scene was fetched and its pixels contradict its metadata; the service itself is not in doubt."""


class DownloadStoppedError(CocalError):
    """Fetching must end now; what is committed is kept and the next run goes on from there."""


class WorkFailedError(CocalError):
    """Part of the work failed and is listed; everything else is done and kept."""


class CocalWarning(UserWarning):
    """Base of the warnings that cocal itself gives."""


class FallbackWarning(CocalWarning):
    """Something was done another way than asked; batch runs turn this into an error."""
