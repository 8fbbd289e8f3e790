"""Class names as crews write them -> class keys and the state of the crop."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import yaml

from cocal.assets import asset
from cocal.fieldwork.checks.text import mend_mojibake

SYNONYMS = asset("fieldwork/checks/synonyms.yaml")


@dataclass(frozen=True)
class Label:
    """A class key, and the state of the crop where the name tells one: nursery, new, pruned, ..."""

    key: str
    state: str | None = None


@dataclass(frozen=True)
class Names:
    """Every known name, folded, and which class is the target."""

    labels: Mapping[str, Label]
    target: str

    def read(self, text: str) -> Label | None:
        """What `text` means; None if no name is known for it."""
        return self.labels.get(fold(mend_mojibake(text)))

    def with_classes(self, classes: Mapping[str, str], target: str | None) -> Names:
        """These names and the user's, which win."""
        own = {fold(name): Label(key) for name, key in classes.items()}
        keys = {fold(key): Label(key) for key in classes.values()}
        return Names({**self.labels, **keys, **own}, target or self.target)


def fold(text: str) -> str:
    """Lower case, without accents, '_' and '-' as spaces, every word in the singular.

    "Almácigos" -> "almacigo", "hoja_de_coca" -> "hoja de coca". Only a final s is taken off, from words of
    more than three letters, here as in the list, so that both sides of a comparison are folded alike.
    """
    plain = unicodedata.normalize("NFKD", text.strip().lower())
    plain = "".join(c for c in plain if not unicodedata.combining(c))
    words = plain.replace("_", " ").replace("-", " ").split()
    return " ".join(w[:-1] if len(w) > 3 and w.endswith("s") else w for w in words)


@lru_cache(maxsize=1)
def default_names() -> Names:
    """The list that comes with cocal, `synonyms.yaml`."""
    content: dict[str, Any] = yaml.safe_load(SYNONYMS.read_text(encoding="utf-8"))
    target, states = content.pop("target"), content.pop("states")
    labels = {fold(name): Label(key) for key, names in content.items() for name in (key, *names)}
    labels |= {fold(name): Label(target, state) for state, names in states.items() for name in names}
    return Names(labels, target)
