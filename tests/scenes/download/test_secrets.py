"""Secrets are in no log, manifest, exception text, ledger or quarantined body, whatever the service
answers.
"""

import logging

import pytest
from tests.support.services.hub import SECRET
from tests.support.services.loopback import Trouble

from cocal.errors import CocalError


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
