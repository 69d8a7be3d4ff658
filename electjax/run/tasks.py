"""The tasks of the command line, by name: each is declared by its wing."""

from collections.abc import Iterator
from functools import cache
from importlib import import_module

from electjax.report.result import Task
from electjax.run.predict import predict_task
from electjax.run.validate import validate_task

WINGS = ("districts", "voter_types", "calm", "ecological")


@cache
def tasks() -> dict[str, Task]:
    """All tasks; the wings' modules are imported here."""
    found = {task.name: task for wing in WINGS for task in import_module(f"electjax.{wing}.task").TASKS}
    return found | {"predict": predict_task(found), "validate": validate_task(found)}


def kinds() -> Iterator[Task]:
    """One task for each kind of data."""
    seen: set[str] = set()
    for task in tasks().values():
        if task.kind not in seen and task.name not in ("predict", "validate"):
            seen.add(task.kind)
            yield task
