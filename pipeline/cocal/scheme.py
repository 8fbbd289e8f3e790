"""The class scheme: codes, names, colours, and the definition of the target."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, ValidationError, field_validator, model_validator

from cocal.errors import ConfigError
from cocal.settings import Settings, read_yaml
from cocal.store import address

_NUMBER = re.compile(r"\d+(?:[.,]\d+)?")


class CropClass(Settings):
    """One class: its code on maps, its key in tables, its names on pages."""

    code: Annotated[int, Field(ge=1, le=254)]
    key: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    name_es: str
    name_en: str
    colour: Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$")]


class ClassScheme(Settings):
    """Classes, the target among them and its definition. Code 0 is always 'not observed'.

    `definition` states what counts as the target: productive, nursery, under shade, pruned, abandoned;
    assessment unit; the date or window it refers to; `minimum_cover`, per cent. `definition_es` is its
    Spanish translation, which is no part of the scheme's identity.
    """

    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_.-]*$")]
    target: str
    definition: dict[str, str]
    definition_es: dict[str, str] = Field(default_factory=dict)
    classes: tuple[CropClass, ...]

    @model_validator(mode="after")
    def _consistent(self) -> ClassScheme:
        for field in ("code", "key"):
            values = [getattr(c, field) for c in self.classes]
            doubled = sorted({str(v) for v in values if values.count(v) > 1})
            if doubled:
                raise ValueError(f"{field} used twice: {', '.join(doubled)}")
        if self.target not in self.keys:
            raise ValueError(f"target {self.target!r} is not one of the classes {', '.join(self.keys)}")
        unknown = sorted(set(self.definition_es) - set(self.definition))
        if unknown:
            raise ValueError(f"definition_es has {', '.join(unknown)}, which definition does not have")
        stated = _NUMBER.findall(self.definition.get("minimum_cover", "100"))
        if len(stated) != 1 or not 1 <= float(stated[0].replace(",", ".")) <= 100:
            raise ValueError("definition.minimum_cover: give one number of per cent, 1 to 100, such as 50 %")
        if "unobserved" in self.keys:
            raise ValueError("'unobserved' is reserved for code 0")
        return self

    @field_validator("definition", mode="before")
    @classmethod
    def _cover_as_text(cls, value: Any) -> Any:
        """A minimum cover may be given as a number, of per cent."""
        if isinstance(value, dict) and isinstance(value.get("minimum_cover"), int | float):
            return value | {"minimum_cover": f"{value['minimum_cover']:g} %"}
        return value

    @property
    def minimum_cover(self) -> float | None:
        """Least cover of the target, per cent, that `definition` states; None where it states none."""
        text = self.definition.get("minimum_cover")
        return None if text is None else float(_NUMBER.findall(text)[0].replace(",", "."))

    @property
    def keys(self) -> tuple[str, ...]:
        return tuple(c.key for c in self.classes)

    @property
    def codes(self) -> dict[str, int]:
        """Code by key."""
        return {c.key: c.code for c in self.classes}

    @property
    def sha256(self) -> str:
        """Identity of the scheme: tables and models of different schemes cannot be combined."""
        return address(self.model_dump(mode="json", exclude={"definition_es"}))

    def address_content(self) -> str:
        return self.sha256


def read_scheme(path: str | Path) -> ClassScheme:
    """The class scheme of a YAML file.

    Raises
    ------
    InputError
        The file cannot be read.
    ConfigError
        The file is not a class scheme; the message lists every problem.

    Examples
    --------
    >>> scheme = read_scheme("configs/schemes/border-coca.yaml")
    >>> scheme.target, scheme.codes["coca"], scheme.keys[:3]
    ('coca', 1, ('coca', 'forest', 'regrowth'))
    """
    content = read_yaml(Path(path), "class scheme", "fix `scheme:`")
    try:
        return ClassScheme.model_validate(content)
    except ValidationError as err:
        raise ConfigError(f"class scheme {path} cannot be used", "see configs/schemes", str(err)) from err
