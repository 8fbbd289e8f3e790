"""The base class of all settings that a user states, and the reader of the YAML files that state them."""

from __future__ import annotations

import difflib
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path
from typing import Any, get_args

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError, model_validator

from cocal.errors import ConfigError, InputError

MOST_BYTES, MOST_NODES, MOST_LEVELS = 2_000_000, 100_000, 60
"""Limits of a file, of its values with every alias written out, and of its nesting."""


GROUPED = r"[1-9]\d{0,2}(?:\.\d{3})+"
"""A number that may have points between thousands."""


class Settings(BaseModel):
    """Settings: frozen, unknown keys forbidden, numbers finite."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _as_meant(cls, given: Any) -> Any:
        """Refuse true and false for a number, also in a list; compose texts (NFC), as those of tables are.

        Pydantic reads true as 1. Paths stay as they are: file systems tell the forms apart.
        """
        if not isinstance(given, dict):
            return given
        known = {k: _kinds(f.annotation) for k, f in cls.model_fields.items() if k in given}
        flags = [k for k, kinds in known.items() if kinds & {int, float} and bool not in kinds]
        if wrong := [k for k in flags if any(isinstance(v, bool) for v in _values(given[k]))]:
            raise ValueError(f"{', '.join(wrong)}: a number is needed, not yes or no")
        return given | {k: _composed(given[k]) for k, kinds in known.items() if _is_text(kinds)}


def _is_text(kinds: set[Any]) -> bool:
    """Whether a field holds texts, and neither paths nor settings with fields of their own."""
    return str in kinds and not any(isinstance(k, type) and issubclass(k, Path | BaseModel) for k in kinds)


def _values(value: Any) -> Iterator[Any]:
    """The value, or those in its lists and mappings."""
    if isinstance(value, dict | list | tuple):
        for inner in value.values() if isinstance(value, dict) else value:
            yield from _values(inner)
    else:
        yield value


def _composed(value: Any) -> Any:
    if isinstance(value, str):
        return unicodedata.normalize("NFC", value)
    if isinstance(value, dict):
        return {_composed(k): _composed(v) for k, v in value.items()}
    return type(value)(map(_composed, value)) if isinstance(value, list | tuple) else value


def _kinds(annotation: Any) -> set[Any]:
    return {annotation}.union(*map(_kinds, get_args(annotation))) if get_args(annotation) else {annotation}


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader; an impossible date or number stays text, for its key's check to refuse."""


def _or_text(construct: Any) -> Any:
    def constructed(loader: Any, node: Any) -> Any:
        try:
            return construct(loader, node)
        except (ValueError, OverflowError, LookupError, AttributeError):
            return node.value

    return constructed


for _kind in ("int", "float", "bool", "timestamp"):
    _tag = f"tag:yaml.org,2002:{_kind}"
    _Loader.add_constructor(_tag, _or_text(yaml.SafeLoader.yaml_constructors[_tag]))


def read_yaml(path: Path, what: str, remedy: str) -> Any:
    """The content of a YAML file.

    Parameters
    ----------
    path, what, remedy
        The file; what it is and how to fix it, for messages.

    Raises
    ------
    InputError
        The file cannot be read as UTF-8 text, or is larger than `MOST_BYTES`.
    ConfigError
        It is not YAML; a key is given twice; a text holds a NUL; aliases or nesting exceed the limits.
    """
    if path.exists() and not path.is_file():
        raise InputError(f"{what} {path}", "a readable YAML file", "not a file", remedy)
    try:
        with path.open("rb") as file:
            data = file.read(MOST_BYTES + 1)
        text = data.decode("utf-8-sig")
    except (OSError, ValueError) as err:
        raise InputError(f"{what} {path}", "a readable YAML file", str(err), remedy) from err
    if len(data) > MOST_BYTES:
        raise InputError(f"{what} {path}", f"at most {MOST_BYTES} bytes of YAML", "more", remedy)
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        problems = [] if node is None else list(dict.fromkeys(_problems(node)))
        content = None if node is None or problems else loader.construct_document(node)
    except yaml.YAMLError as err:
        raise ConfigError(f"{what} {path} is not YAML", "", str(err), remedy) from err
    except RecursionError as err:
        found = f"more than {MOST_LEVELS} levels of nesting"
        raise ConfigError(f"{what} {path} cannot be used", "keys and values", found, remedy) from err
    if problems:
        raise ConfigError(
            f"{what} {path} cannot be used", "keys and values", "; ".join(problems[:20]), remedy
        )
    return content


def _problems(root: yaml.Node) -> Iterator[str]:
    """Keys that are given twice, NULs, and what exceeds the limits, each with its path."""
    stack, seen = [(root, "", 0)], 0
    while stack:
        node, key, level = stack.pop()
        seen += 1
        if seen > MOST_NODES or level > MOST_LEVELS:
            limit = (
                f"{MOST_LEVELS} levels"
                if level > MOST_LEVELS
                else f"{MOST_NODES} values, aliases written out"
            )
            yield f"{key or '(top)'}: more than {limit}"
            return
        if isinstance(node, yaml.MappingNode):
            first: dict[tuple[str, str], int] = {}
            for name, value in node.value:
                own = f"{key}.{name.value if isinstance(name, yaml.ScalarNode) else '?'}".lstrip(".")
                stack += [(value, own, level + 1), (name, own, level + 1)]
                if isinstance(name, yaml.ScalarNode):
                    line = name.start_mark.line + 1
                    if (name.tag, name.value) in first:
                        yield f"{own}: given twice, in lines {first[name.tag, name.value]} and {line}"
                    first.setdefault((name.tag, name.value), line)
        elif isinstance(node, yaml.SequenceNode):
            stack += [(value, f"{key}.{i}".lstrip("."), level + 1) for i, value in enumerate(node.value)]
        elif "\0" in node.value:
            yield f"{key or '(top)'}: a NUL character"
        elif key.endswith("_ha") and not getattr(node, "style", "") and re.fullmatch(GROUPED, node.value):
            words = "a point that may stand between thousands; add a decimal, or leave it out"
            yield f"{key}: {node.value} has {words}"


def describe_problems(err: ValidationError, model: type[BaseModel]) -> list[str]:
    """One line per problem: path of the key, problem, allowed values."""
    lines = []
    for problem in err.errors(include_url=False):
        location = [part for part in problem["loc"] if not str(part).endswith("Settings")]
        key = ".".join(str(part) for part in location) or "(top)"
        message = problem["msg"].removeprefix("Value error, ")
        if problem["type"] == "extra_forbidden":
            allowed = sorted(_keys_beside(model, location))
            near = difflib.get_close_matches(str(location[-1]), allowed, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            message = f"unknown key{hint} Allowed here: {', '.join(allowed)}"
        elif problem["type"] not in ("missing", "value_error"):
            message += f" (found {problem['input']!r})"
        lines.append(f"{key}: {message}")
    return lines


def _models_in(annotation: Any) -> list[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return [annotation]
    return [m for arg in get_args(annotation) for m in _models_in(arg)]


def _keys_beside(model: type[BaseModel], location: list[Any]) -> set[str]:
    """The keys allowed in the section of the last part of `location`."""
    models = [model]
    for part in location[:-1]:
        inner = [m.model_fields[part].annotation for m in models if part in m.model_fields]
        if inner:
            models = [found for annotation in inner for found in _models_in(annotation)]
        else:
            tagged = [m for m in models if _kind_of(m) == part]
            models = tagged or models
    return {field.alias or name for m in models for name, field in m.model_fields.items()}


def _kind_of(model: type[BaseModel]) -> Any:
    kind = model.model_fields.get("kind") or model.model_fields.get("type")
    return get_args(kind.annotation)[0] if kind and get_args(kind.annotation) else None
