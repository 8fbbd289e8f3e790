"""Tokens of Sentinel Hub: one per process at most, shared by the main process with its workers.

Secrets come from the environment or the client's own profile and stay in memory: they are in no setting, no
task, no file, and are removed from every text that comes from the service.
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
from typing import Any

import requests
from oauthlib.oauth2 import InsecureTransportError, OAuth2Error
from sentinelhub.config import SHConfig
from sentinelhub.download.session import SentinelHubSession, SessionSharing, collect_shared_session
from sentinelhub.exceptions import DownloadFailedException, SHUserWarning

from cocal.errors import InputError
from cocal.scenes.download.body import ODD
from cocal.scenes.download.gate import Fault, Verdict
from cocal.scenes.download.secrets import strike
from cocal.scenes.download.settings import SentinelHubSource
from cocal.scenes.download.units import Cost

log = logging.getLogger(__name__)

NOT_SENT = Cost()
"""Cost of a data request that was not sent for lack of a token."""
RENEW_SHARE = 0.2
"""A token is renewed when so much of its life is left, at most the client's 120 s, which alone would fetch a
short-lived one anew for every request."""
RENEW_AGAIN_S = 2.0

_WRONG = {"invalid_client", "unauthorized_client", "invalid_grant", "access_denied"}
"""Errors of RFC 6749, 5.2, that no repetition fixes."""
_PASSING = (408, 425, 429)
"""Refusals that may pass."""

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
            "SH_CLIENT_ID and SH_CLIENT_SECRET in the environment, or a profile of `sentinelhub.config`",
            "neither",
            "make an OAuth client as docs/download.md describes",
        )
    return found


def scrub(text: str, config: SHConfig) -> str:
    """`text` without client id, secret and the tokens of this process; see `secrets.strike`."""
    return strike(text.encode("utf-8", "surrogateescape"), _secrets(config)).decode(
        "utf-8", "surrogateescape"
    )


def scrub_body(body: bytes, config: SHConfig) -> bytes:
    """A body of the service without client id, secret and tokens: answers may repeat what was sent."""
    return strike(body, _secrets(config))


def _secrets(config: SHConfig) -> frozenset[str]:
    pair = f"{config.sh_client_id}:{config.sh_client_secret}"
    return frozenset({config.sh_client_id, config.sh_client_secret, pair, *_SEEN})


def session(config: SHConfig, shared: str | None = None) -> SentinelHubSession:
    """The token of the main process (`shared` names its memory) if it is good, else one of this process.

    Raises
    ------
    Fault
        No token could be obtained: STOP if id or secret are wrong.
    """
    found = _collected(shared) if shared else None
    if found is None:
        with _LOCK:
            found = _own(config)
    _SEEN.add(found.token["access_token"])
    return found


def refused(found: SentinelHubSession) -> bool:
    """Record that the service refused this token; True if another one may be tried."""
    token = found.token["access_token"]
    _REFUSED.add(token)
    with _LOCK:
        for key in [key for key, own in _OWN.items() if own is found]:
            del _OWN[key]
    strikes = _STRIKES["401"] = _STRIKES.get("401", 0) + 1
    return strikes < 2


def accepted() -> None:
    """Record that the service accepted a token."""
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
    for name in ("requests_oauthlib", "oauthlib"):
        logging.getLogger(name).setLevel(logging.INFO)  # their DEBUG lines hold the secret
    try:
        if key not in _OWN:
            _OWN[key] = _Session(config, refresh_before_expiry=0)
        return _OWN[key].renewed()
    except InsecureTransportError:
        raise Fault("the address for tokens is not https", Verdict.STOP, spent=NOT_SENT) from None
    except OAuth2Error as err:
        raise _no_token(scrub(str(err.error), config)[:100], wrong=str(err.error) in _WRONG) from None
    except DownloadFailedException as err:
        response = getattr(err.request_exception, "response", None)
        if response is None:
            raise _no_token(type(err.request_exception).__name__, wrong=False) from None
        status, reason = response.status_code, scrub(_reason(response), config)
        header = response.headers.get("Retry-After")
        raise _no_token(reason, wrong=status < 500 and status not in _PASSING, header=header) from None
    except requests.RequestException as err:
        headers = {} if err.response is None else err.response.headers
        reason = type(err).__name__ if err.response is None else "429"
        raise Fault(f"no token: {reason}", spent=NOT_SENT, header=headers.get("Retry-After")) from None
    except (TypeError, ValueError, *ODD) as err:
        raise _no_token(type(err).__name__, wrong=False) from None


def _no_token(reason: str, wrong: bool, header: str | None = None) -> Fault:
    """The Fault of a token that was not obtained; `wrong`: id or secret are not valid."""
    if wrong:
        text = f"the service refuses client id or secret ({reason}); docs/download.md"
        return Fault(text, Verdict.STOP, spent=NOT_SENT)
    return Fault(f"no token: {reason}", spent=NOT_SENT, header=header)


def _reason(response: requests.Response) -> str:
    """Status of a refusal, and its error by RFC 6749 if it names one."""
    try:
        error = response.json()["error"]
    except (ValueError, KeyError, TypeError):
        error = None
    return f"{response.status_code} {error[:100]}" if isinstance(error, str) else str(response.status_code)


class _Session(SentinelHubSession):
    """The client's session, renewed by a margin that fits the token's life."""

    @staticmethod
    def _compliance_hook(response: requests.Response) -> requests.Response:
        """Raise for every error status: the client looks at the text of a 4xx first, which may be any."""
        response.raise_for_status()
        return response

    def renewed(self) -> SentinelHubSession:
        """This session, its token renewed if it expires soon."""
        if not self.refresh_before_expiry:
            life = float(self.token["expires_at"]) - time.time()
            self.refresh_before_expiry = max(1.0, min(self.DEFAULT_SECONDS_BEFORE_EXPIRY, RENEW_SHARE * life))
        if not isinstance(self.token["access_token"], str):
            raise TypeError("a token is text")
        return self


class _Sharing(_Session):
    """The session whose token is shared; a failed renewal is tried again, workers then obtain their own."""

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
    """Keep the session's token in memory that workers of this machine read; yields the memory's name."""
    name = f"cocal-{uuid.uuid4().hex[:12]}"
    source = _Sharing(found.config, found.refresh_before_expiry, _token=found.token)
    with SessionSharing(source, memory_name=name, daemon=True):
        yield name
