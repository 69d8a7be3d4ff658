"""What long work says while it runs: a function that takes what is done, what there is to do, and a line."""

from collections.abc import Callable

Progress = Callable[[int, int, str], None]
Stages = Callable[[str], Progress]  # opens a stage by its name


def silent(name: str) -> Progress:
    """A stage that says nothing."""

    def report(done: int, total: int, text: str = "") -> None:
        pass

    return report
