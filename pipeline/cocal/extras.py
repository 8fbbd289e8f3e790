"""Optional dependencies: the extras of pyproject.toml, and the error if one is not installed."""

from __future__ import annotations

from importlib.util import find_spec

from cocal.errors import InputError

REPORT = ("babel", "matplotlib", "openpyxl", "PIL")
EXTRAS = {
    "download": ("oauthlib", "odc.geo", "odc.stac", "pystac_client", "requests", "sentinelhub", "urllib3"),
    "exchange": ("cryptography",),
    "report": REPORT,
    "serve": ("h11", "rio_tiler", "starlette", "uvicorn", *REPORT),
}
"""Extra -> modules that it installs."""


def require(extra: str, purpose: str) -> None:
    """Check that the packages of an extra are installed; `purpose` is what needs them, for the message.

    Raises
    ------
    InputError
        A package is missing.
    """
    missing = [name for name in EXTRAS[extra] if not _installed(name)]
    if missing:
        raise InputError(
            f"{purpose} needs packages that are not installed", ", ".join(EXTRAS[extra]),
            f"no {', '.join(missing)}", f'pip install "cocal[{extra}]"',
        )  # fmt: skip


def _installed(name: str) -> bool:
    try:
        return find_spec(name) is not None
    except ModuleNotFoundError:  # of the parent package
        return False
