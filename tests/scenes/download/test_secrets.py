"""Secrets are in no log, manifest, exception text, ledger or quarantined body, whatever the service
answers.
"""

import base64
import html
import json
import logging
import time
from urllib.parse import quote, quote_plus, urlencode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.support.services.hub import CLIENT_ID, SECRET
from tests.support.services.loopback import Trouble

from cocal.errors import CocalError
from cocal.scenes.download.secrets import SHORTEST, STRUCK, strike


def searched(folder, secrets):
    """The files below `folder` that hold one of the secrets."""
    return [
        path.name
        for path in folder.rglob("*")
        if path.is_file() and any(secret.encode() in path.read_bytes() for secret in secrets)
    ]


def echo(secret, status=400):
    body = f'{{"error": {{"message": "I was sent {secret} by you"}}}}'.encode()
    return Trouble(status=status, body=body)


def test_a_planted_secret_is_found_nowhere(hub, hub_config, tmp_path, caplog, download):
    """The service answers with the secret itself, in bodies, messages and pages."""
    page = Trouble(status=200, body=f"<html>{SECRET}</html>".encode(), type="text/html")
    hub.troubles["process"].extend([echo(SECRET), page, echo(SECRET, 500), echo(SECRET, 429)])
    hub.troubles["catalogue"].extend([echo(SECRET, 503), page])
    hub.troubles["token"].append(page)
    caplog.set_level(logging.DEBUG)
    assert len(download(hub_config()).failures) == 1
    (tmp_path / "log").write_text(caplog.text)
    assert hub.tokens
    assert "[secret]" in caplog.text
    assert list((tmp_path / "hub" / "state" / "quarantine").glob("*.body"))
    assert searched(tmp_path, {SECRET, *hub.tokens}) == []


@pytest.mark.parametrize(
    "trouble",
    [("process", echo(SECRET, 403)), ("token", echo(SECRET, 401)), ("catalogue", echo(SECRET, 400)),
     ("token", Trouble(status=401, body=f'{{"error": "{SECRET}"}}'.encode()))],
    ids=["process", "token", "catalogue", "error of the token"],
)  # fmt: skip
def test_no_exception_holds_the_secret(trouble, hub, hub_config, tmp_path, caplog, download):
    caplog.set_level(logging.DEBUG)
    hub.always[trouble[0]] = trouble[1]
    with pytest.raises(CocalError) as caught:
        download(hub_config())
    chain, texts = caught.value, []
    while chain is not None:
        texts.append(repr(chain) + str(chain))
        chain = chain.__cause__ or (None if chain.__suppress_context__ else chain.__context__)
    assert SECRET not in " ".join(texts)
    assert SECRET not in caplog.text
    assert searched(tmp_path, {SECRET, *hub.tokens}) == []


ODD = 'M4&k/r c="x"+é\\1'
"""A secret that every encoding changes."""


def forms(secret, name=CLIENT_ID):
    """The secret as services, proxies and clients write it."""
    pair = f"{name}:{secret}"
    return {
        "as it is": secret,
        "URL": quote(secret, safe=""),
        "URL twice": quote(quote(secret, safe=""), safe=""),
        "URL, lower case": quote(secret, safe="").lower() if secret.islower() else quote(secret, safe="/"),
        "form": quote_plus(secret),
        "form with id": urlencode({"client_id": name, "client_secret": secret}),
        "JSON": json.dumps(secret)[1:-1],
        "JSON in UTF-8": json.dumps(secret, ensure_ascii=False)[1:-1],
        "JSON in JSON": json.dumps(json.dumps(secret))[3:-3],
        "JSON with \\/": json.dumps(secret)[1:-1].replace("/", "\\/"),
        "HTML": html.escape(secret),
        "repr": repr(secret)[1:-1],
        "hex": secret.encode().hex(),
        "base64": base64.b64encode(secret.encode()).decode(),
        "base64 for URLs": base64.urlsafe_b64encode(secret.encode()).decode().rstrip("="),
        "base64 of id:secret": base64.b64encode(pair.encode()).decode(),
        "base64 of a form": base64.b64encode(
            urlencode({"a": 1}).encode() + b"&s=" + secret.encode()
        ).decode(),
    }


@pytest.mark.parametrize("form", forms(ODD))
def test_a_secret_is_struck_in_every_encoding(form):
    """What is left holds no four characters of the encoded text in a row, apart from those around it."""
    text = forms(ODD)[form]
    left = strike(f"before|{text}|after".encode(), [ODD, CLIENT_ID, f"{CLIENT_ID}:{ODD}"])
    assert STRUCK in left
    assert left.startswith(b"before|")
    assert left.endswith(b"|after")
    for again in forms(ODD).values():
        assert again.encode() not in left
    if form not in ("base64 of a form", "form with id"):
        assert left == b"before|" + STRUCK + b"|after"


@settings(deadline=None, max_examples=60)
@given(st.text(st.characters(codec="utf-8"), min_size=SHORTEST, max_size=40), st.binary(max_size=50))
def test_no_form_of_any_secret_is_left(secret, around):
    for text in forms(secret).values():
        assert text.encode() not in strike(around + b"|" + text.encode() + b"|" + around, [secret]) or (
            text.encode() in STRUCK
        )


def test_near_misses_take_no_time():
    """A megabyte of the secret without its last character."""
    began = time.monotonic()
    strike(ODD[:-1].encode() * 60_000 + b"s" * 100_000, ["s" * 60, ODD, f"{CLIENT_ID}:{ODD}"])
    assert time.monotonic() - began < 10


@pytest.mark.parametrize("form", ["URL", "JSON", "form with id", "base64 of id:secret", "as it is"])
def test_id_and_secret_reach_neither_run_json_nor_bodies_nor_log(
    form, hub, hub_config, tmp_path, caplog, download, monkeypatch
):
    monkeypatch.setattr("tests.support.services.hub.SECRET", ODD)
    monkeypatch.setenv("SH_CLIENT_SECRET", ODD)
    said = f"I was sent {forms(ODD)[form]} by {CLIENT_ID}"
    message = json.dumps({"error": {"message": said}}).encode()
    page = Trouble(status=200, body=f"<html>{said}</html>".encode(), type="text/html")
    hub.troubles["process"].extend(
        [Trouble(status=400, body=message), page, Trouble(status=500, body=message)]
    )
    entry = {"id": "x", "properties": {"datetime": said}}
    answer = json.dumps({"features": [entry], "context": {}}).encode()
    caplog.set_level(logging.DEBUG)
    config = hub_config()
    assert len(download(config).failures) == 1
    hub.always["catalogue"] = Trouble(status=200, body=answer)
    with pytest.raises(CocalError) as caught:
        download(config)
    assert "[secret]" in str(caught.value)
    (tmp_path / "log").write_text(caplog.text)
    assert list((tmp_path / "hub" / "state" / "quarantine").glob("*.body"))
    assert searched(tmp_path, {*forms(ODD).values(), CLIENT_ID, *hub.tokens}) == []
