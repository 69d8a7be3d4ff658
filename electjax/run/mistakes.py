"""A mistake in the configuration as one clear line, with the key it is about."""

import difflib
import re
from collections.abc import Iterator
from dataclasses import fields
from typing import Any

from hydra.errors import HydraException, MissingConfigException
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException


def explain(error: Exception) -> str | None:
    """The line for a mistake in the configuration; None for any other error."""
    chain = list(_causes(error))
    if not isinstance(chain[0], HydraException | OmegaConfBaseException):
        return None
    missing = next((e for e in chain if isinstance(e, MissingConfigException)), None)
    if missing is not None and missing.options:
        group, _, option = (missing.missing_cfg_file or "").rpartition("/")
        return f"{group}={option}: no such option; choose from {', '.join(sorted(missing.options))}"
    inner = next((e for e in chain if isinstance(e, OmegaConfBaseException)), None)
    if inner is None:
        return " ".join(str(error).split())
    key = str(inner.full_key or inner.key or "")
    absent = re.search(r"Missing mandatory value: (\S+)", str(inner))
    if absent:
        return f"{absent[1]}: missing; give it as {absent[1]}=..."
    known = _known_keys(inner.parent_node)
    if not isinstance(inner, AttributeError | KeyError) or not known:
        return f"{key}: {_first_line(inner)}".removeprefix(": ")
    return _unknown_key(key, known)


def _unknown_key(key: str, known: list[str]) -> str:
    from electjax.run.schemas import schemas

    section, _, name = key.rpartition(".")
    if key == "data.path":
        return f"{key}: this data has no file; {_with_files()} takes one"
    if section == "models" and name in schemas().groups["model"]:
        return f"{key}: this model is not chosen; model=[{','.join([*known, name])}] would choose it"
    close = difflib.get_close_matches(name, known, n=1)
    hint = f"did you mean {close[0]}? " if close else ""
    return f"{key}: no such key; {hint}known here: {', '.join(known)}"


def _with_files() -> str:
    """The schemas of data that have a path: "data=csv (returns), data=booths (booths) or data=..."."""
    from electjax.run.tasks import kinds

    said = [
        f"data={name} ({task.kind})"
        for task in kinds()
        for name, source in task.sources.items()
        if any(item.name == "path" for item in fields(source.options))
    ]
    return f"{', '.join(said[:-1])} or {said[-1]}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__ or error.__context__


def _known_keys(node: Any) -> list[str]:
    if not isinstance(node, DictConfig) or node._is_none():
        return []
    return [str(key) for key in node if key != "hydra"]


def _first_line(error: BaseException) -> str:
    return next((line.strip() for line in str(error).splitlines() if line.strip()), type(error).__name__)
