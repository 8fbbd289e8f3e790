"""Tokens of Sentinel Hub: one per process at most, shared by the main process with its workers.

Secrets come from the environment or the client's own profile and stay in memory: they are in no setting, no
task, no file, and are struck from every text that comes from the service.
"""

from __future__ import annotations

import logging
import os
import threading
import time
import uuid
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NoReturn

import requests
from oauthlib.oauth2 import InsecureTransportError, OAuth2Error
from sentinelhub.config import SHConfig
from sentinelhub.download.session import SentinelHubSession, SessionSharing, collect_shared_session
from sentinelhub.exceptions import DownloadFailedException, SHUserWarning

from cocal.errors import InputError
from cocal.scenes.download.faults import Fault, Verdict, scrubbed
from cocal.scenes.download.settings import SentinelHubSource
from cocal.scenes.download.units import Cost

log = logging.getLogger(__name__)

NOT_SENT = Cost()
"""What a data request takes that was never sent for lack of a token."""
RENEW_SHARE = 0.2
"""A token is renewed when so much of its life is left, at most the client's 120 s: which alone would fetch a
short-lived one anew for every request."""
RENEW_AGAIN_S = 2.0

_WRONG = {"invalid_client", "unauthorized_client", "invalid_grant", "access_denied"}
"""Errors of RFC 6749, 5.2, that no repetition mends."""

_LOCK = threading.RLock()
_OWN: dict[tuple[str, str], _Session] = {}
_SEEN: set[str] = set()
_REFUSED: set[str] = set()
_STRIKES: dict[str, int] = {}


def read_credentials(source: SentinelHubSource) -> tuple[str, str]:
    """Client id and secret: from SH_CLIENT_ID and SH_CLIENT_SECRET, else from the client's own profile.

    Raises
    ------
    InputError
        There are none.
    """
    found = os.environ.get("SH_CLIENT_ID", ""), os.environ.get("SH_CLIENT_SECRET", "")
    if not all(found) and Path(SHConfig.get_config_location()).exists():
        try:
            profile = SHConfig.load(source.profile)
            found = profile.sh_client_id, profile.sh_client_secret
        except (KeyError, ValueError, TypeError, OSError):
            found = "", ""
    if not all(found):
        raise InputError(
            f"no credentials for {source.base_url}",
            "SH_CLIENT_ID and SH_CLIENT_SECRET in the environment, or a profile made with `sentinelhub.config`",
            "neither",
            "docs/download.md tells how an OAuth client is made",
        )
    return found


def scrub(text: str, config: SHConfig) -> str:
    """`text` without the client secret and every token this process has seen."""
    return scrubbed(text, {config.sh_client_secret} | _SEEN)


def session(config: SHConfig, shared: str | None = None) -> SentinelHubSession:
    """The token of the main process (`shared` names its memory) if it is good, else one of this process.

    Raises
    ------
    Fault
        No token is to be had: STOP where id or secret are wrong.
    """
    found = _collected(shared) if shared else None
    if found is None:
        with _LOCK:
            found = _own(config)
    _SEEN.add(found.token["access_token"])
    return found


def refused(found: SentinelHubSession) -> bool:
    """Note that the service refused this token; True if another one is worth a try."""
    token = found.token["access_token"]
    _REFUSED.add(token)
    with _LOCK:
        for key in [key for key, own in _OWN.items() if own is found]:
            del _OWN[key]
    strikes = _STRIKES["401"] = _STRIKES.get("401", 0) + 1
    return strikes < 2


def accepted() -> None:
    """Note that the service took a token."""
    _STRIKES.clear()


def _collected(name: str) -> SentinelHubSession | None:
    try:
        found = collect_shared_session(name)
    except (FileNotFoundError, ValueError):
        return None
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", SHUserWarning)
        token = found.token
    good = token["expires_at"] > time.time() and token["access_token"] not in _REFUSED
    return found if good else None


def _own(config: SHConfig) -> SentinelHubSession:
    key = config.sh_token_url, config.sh_client_id
    logging.getLogger("requests_oauthlib").setLevel(logging.INFO)  # its DEBUG lines hold the secret
    try:
        if key not in _OWN:
            _OWN[key] = _Session(config, refresh_before_expiry=0)
        return _OWN[key].renewed()
    except InsecureTransportError:
        raise Fault("the address for tokens is not https", Verdict.STOP, spent=NOT_SENT) from None
    except OAuth2Error as err:
        _raise(scrub(str(err.error), config)[:100], str(err.error) in _WRONG)
    except DownloadFailedException as err:
        response = getattr(err.request_exception, "response", None)
        status = None if response is None else response.status_code
        what = type(err.request_exception).__name__ if status is None else str(status)
        _raise(what, status is not None and status < 500)
    except requests.RequestException as err:
        headers = {} if err.response is None else err.response.headers
        raise Fault(
            f"no token: {'429' if err.response is not None else type(err).__name__}",
            spent=NOT_SENT, header=headers.get("Retry-After"),
        ) from None  # fmt: skip
    except (KeyError, TypeError, ValueError) as err:
        _raise(type(err).__name__, False)


def _raise(what: str, wrong: bool) -> NoReturn:
    if wrong:
        raise Fault(
            f"the service refuses client id or secret ({what}); docs/download.md",
            Verdict.STOP,
            spent=NOT_SENT,
        ) from None
    raise Fault(f"no token: {what}", spent=NOT_SENT) from None


class _Session(SentinelHubSession):
    """The client's session with a margin of renewal that fits the token's life."""

    def renewed(self) -> SentinelHubSession:
        """This session, its token good for another while."""
        if not self.refresh_before_expiry:
            life = float(self.token["expires_at"]) - time.time()
            self.refresh_before_expiry = max(1.0, min(self.DEFAULT_SECONDS_BEFORE_EXPIRY, RENEW_SHARE * life))
        _ = self.token
        return self


class _Sharing(_Session):
    """The session whose token is shared; a renewal that fails is tried again, workers then fetch their own."""

    @property
    def token(self) -> Any:
        try:
            return super().token
        except (OAuth2Error, requests.RequestException, DownloadFailedException, KeyError, ValueError):
            log.warning("the shared token cannot be renewed now")
            time.sleep(RENEW_AGAIN_S)
            return self._token


@contextmanager
def sharing(found: SentinelHubSession) -> Iterator[str]:
    """Keep the token of `found` in memory that workers of this machine read; yields the memory's name."""
    name = f"cocal-{uuid.uuid4().hex[:12]}"
    source = _Sharing(found.config, found.refresh_before_expiry, _token=found.token)
    with SessionSharing(source, memory_name=name, daemon=True):
        yield name


def forget() -> None:
    """Drop every token of this process."""
    with _LOCK:
        for memory in (_OWN, _SEEN, _REFUSED, _STRIKES):
            memory.clear()
