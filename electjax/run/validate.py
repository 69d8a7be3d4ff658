"""The task that reads data and says how: what was taken for what, what was left out, and what analyses it."""

import inspect
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import partial
from pathlib import Path
from typing import Any, NoReturn

from electjax.data.options import default_of, option, options
from electjax.data.reading import TableOptions
from electjax.report.result import Source, Sweep, Task, path_from


@options
class FileData(TableOptions):
    """A file of any kind."""

    path: str = option(meaning="a file or folder of any kind of data")
    kind: str | None = option(None, "returns, ballots, booths or units; null: told from its columns")
    name: str = option("${electjax.stem:}", "what it is called")


def validate_task(others: Mapping[str, Task]) -> Task:
    """The task, for the files that other tasks read."""
    own = {
        name: source
        for task in others.values()
        for name, source in task.sources.items()
        if any(item.name == "path" for item in fields(source.options))
    }
    kinds = {source.options: task.kind for task in others.values() for source in task.sources.values()}
    return Task(
        name="validate",
        about="say what a file is, how it is read, what is left out and why, and what analyses it",
        kind="a file",
        example="data=file data.path=my.csv",
        sources={"file": Source(FileData, _nothing), **own},
        groups={},
        options=FileData,
        run=_nothing,
        report=_nothing,
        sweep=Sweep(_nothing, _nothing),
        section="data",
        hidden=(),
        show=partial(_show, kinds=kinds),
    )


def _show(data: Any, folder: Path, *, kinds: Mapping[type, str]) -> Any:
    from electjax.describing import describe
    from electjax.describing import kinds as known

    kind = data.kind if isinstance(data, FileData) else None
    taken = {item.name for item in fields(TableOptions)}
    if not isinstance(data, FileData):
        kind = kinds[type(data)]
        taken = set(inspect.signature(known()[kind].read).parameters) - {"path", "name"}
    asked = [(item.name, getattr(data, item.name), default_of(item)) for item in fields(data) if item.name in taken]
    given = {name: value for name, value, default in asked if value != default}
    path = path_from(folder, data.path)
    said = describe(path, kind, **given)
    return replace(said, **{name: getattr(said, name).replace(str(path), data.path) for name in ("call", "command")})


def _nothing(*_: Any) -> NoReturn:
    raise AssertionError("the task only says something")
