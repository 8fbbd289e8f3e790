"""What the page and the files for others are made from, and so depend on."""

import json

import yaml

from cocal.config import read_config
from cocal.content import Ref, digest
from cocal.run.results.facts import run_facts
from cocal.run.state import Run, ground
from cocal.store import LocalStore


def facts(world):
    """The digest of the facts, with a model that is given by its folder."""
    config = read_config(world.config)
    (model,) = (world.root / "model").iterdir()
    return digest(run_facts(Run(config, ground(config), LocalStore(world.root), model=Ref(model, "given"))))


def test_the_spanish_definition_counts_for_what_shows_it(finished):
    before, path = facts(finished), finished.folder / "scheme.yaml"
    scheme = yaml.safe_load(path.read_text(encoding="utf-8"))
    identity = ground(read_config(finished.config)).scheme.sha256
    scheme["definition_es"][next(iter(scheme["definition"]))] = "otra traducción"
    path.write_text(yaml.safe_dump(scheme, sort_keys=False), encoding="utf-8")
    assert ground(read_config(finished.config)).scheme.sha256 == identity
    assert facts(finished) != before


def test_scores_on_the_card_of_a_given_model_count_for_what_shows_them(finished):
    before, (path,) = facts(finished), (finished.root / "model").glob("*/card.json")
    card = json.loads(path.read_text(encoding="utf-8"))
    card["validation"]["folds"] = 99
    path.write_text(json.dumps(card), encoding="utf-8")
    assert facts(finished) != before
