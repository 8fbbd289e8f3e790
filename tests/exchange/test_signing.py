"""The file of a bundle: what is refused, and that a third party can check it."""

from __future__ import annotations

import base64
import json
import runpy
from pathlib import Path

import jsonschema
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from tests.support.exchanging import DIGEST, REGIONS, bundle_of, random_land

from cocal.errors import InputError
from cocal.exchange.signing import check_signatures, make_keys, read_bundle, write_bundle

DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    folder = tmp_path_factory.mktemp("exchange")
    for name in ("pe", "bo"):
        make_keys(folder / f"{name}.private.pem", folder / f"{name}.public.pem")
    land = random_land(1, calibrated=True)
    bundle = bundle_of(land, land.points, set(REGIONS), "PE", DIGEST)
    write_bundle(folder / "bundle.json", bundle, folder / "pe.private.pem")
    return folder


def test_a_signed_bundle_is_read_back_and_verified(home):
    signed = read_bundle(home / "bundle.json")
    assert check_signatures(signed, [home / "pe.public.pem"]) == ("pe.public.pem",)
    assert signed.bundle.office == "PE"


def test_a_bundle_follows_the_published_schema(home):
    schema = json.loads((DOCS / "bundle.schema.json").read_text(encoding="utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    content = json.loads((home / "bundle.json").read_text(encoding="utf-8"))
    jsonschema.validate(content, schema)
    content["bundle"]["surveys"][0]["longitude"] = -69.1
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(content, schema)


def test_the_published_schema_is_that_of_the_types_that_read_a_bundle():
    made = runpy.run_path(str(DOCS / "make_bundle_schema.py"))
    text = (DOCS / "bundle.schema.json").read_text(encoding="utf-8")
    assert text == made["schema"](), "run python docs/make_bundle_schema.py"


def test_anyone_can_check_a_signature_without_cocal(home):
    """As docs/bundle.md states it: JSON with sorted keys, without spaces, UTF-8."""
    content = json.loads((home / "bundle.json").read_text(encoding="utf-8"))
    signed = json.dumps(content["bundle"], sort_keys=True, separators=(",", ":"), ensure_ascii=False).encode()
    key = load_pem_public_key((home / "pe.public.pem").read_bytes())
    signature = base64.b64decode(content["signatures"][0]["signature"])
    assert key.verify(signature, signed) is None
    with pytest.raises(InvalidSignature):
        key.verify(signature, signed + b" ")


def test_a_bundle_signed_by_another_key_is_refused(home):
    with pytest.raises(InputError, match="is not signed by the key"):
        check_signatures(read_bundle(home / "bundle.json"), [home / "bo.public.pem"])


def one_point_more(content):
    content["bundle"]["surveys"][0]["cells"][0][4] += 1


def another_hectare(content):
    content["bundle"]["surveys"][0]["strata"][0]["area_ha"] = "1"


def another_office(content):
    content["bundle"]["office"] = "BO"


def half_a_signature(content):
    own = content["signatures"][0]
    own["signature"] = own["signature"][:40]


@pytest.mark.parametrize("change", [one_point_more, another_hectare, another_office, half_a_signature])
def test_a_bundle_that_was_altered_is_refused(home, tmp_path, change):
    content = json.loads((home / "bundle.json").read_text(encoding="utf-8"))
    change(content)
    path = tmp_path / "altered.json"
    path.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(InputError, match=r"altered after it was signed|cannot be read as a bundle"):
        check_signatures(read_bundle(path), [home / "pe.public.pem"])


@pytest.mark.parametrize("share", [0, 0.3, 0.99])
def test_a_bundle_that_was_cut_short_is_refused(home, tmp_path, share):
    data, path = (home / "bundle.json").read_bytes(), tmp_path / "short.json"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(InputError, match="cannot be read as a bundle"):
        read_bundle(path)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"office":', '"latitude": 1, "office":', "latitude"),
        ('"confidence": 0.95', '"confidence": 0.95, "confidence": 0.5', "a key stands twice"),
        ('"office": "PE"', '"office": "Ministry"', "a signature of another office"),
        ('"run": "run"', r'"run": "\u001b[2J"', "control a terminal"),
        ('"confidence": 0.95', '"confidence": "0.95"', "not written as it is read"),
        ('"format": "cocal-bundle/1"', '"format": "cocal-bundle/2"', "format"),
    ],
)
def test_a_file_of_another_form_is_refused_by_name(home, tmp_path, old, new, said):
    text, path = (home / "bundle.json").read_text(encoding="utf-8"), tmp_path / "other.json"
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    with pytest.raises(InputError, match="cannot be read as a bundle") as caught:
        read_bundle(path)
    assert said in str(caught.value)


def test_a_key_that_is_there_is_not_overwritten(home):
    with pytest.raises(InputError, match="a key is there already"):
        make_keys(home / "pe.private.pem", home / "new.public.pem")


def test_the_private_key_is_readable_by_its_owner_alone(home):
    assert (home / "pe.private.pem").stat().st_mode & 0o077 == 0
    assert b"PRIVATE" not in (home / "bundle.json").read_bytes()


@pytest.mark.parametrize("name", ["bundle.json", "pe.private.pem", "absent.pem"])
def test_a_file_that_is_no_public_key_is_refused(home, name):
    with pytest.raises(InputError, match="is no public key"):
        check_signatures(read_bundle(home / "bundle.json"), [home / name])
