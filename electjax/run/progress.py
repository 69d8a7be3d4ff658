"""Progress on stderr: a live bar on a terminal, a line for each stage elsewhere; both with the time that is left."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn
from rich.text import Text

from electjax.data.progress import Progress as Said
from electjax.data.progress import Stages, silent

PLAIN_SECONDS = 30.0


@contextmanager
def show_progress(*, live: bool | None = None, lines: bool = True, console: Console | None = None) -> Iterator[Stages]:
    """Yield a function that opens a stage: `report = stage("dpm: calibrate")`, `report(done, total, text)`.

    `live` forces the bar on or off; by default it is shown where stderr is a terminal (rich also heeds
    FORCE_COLOR and TTY_COMPATIBLE). Without it, and with `lines`, a line is printed when a stage is complete, and of a
    long one every half minute.
    """
    console = console or Console(stderr=True)
    if not (console.is_terminal if live is None else live):
        yield (lambda name: _plain(console, name)) if lines else silent
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        TextColumn("{task.fields[text]}"),
    )
    with Progress(*columns, console=console) as bars:

        def stage(name: str) -> Said:
            task = bars.add_task(name, total=None, text="")

            def report(done: int, total: int, text: str = "") -> None:
                bars.update(task, completed=done, total=total, text=text)

            return report

        yield stage


def _plain(console: Console, name: str) -> Said:
    started = last = time.monotonic()

    def report(done: int, total: int, text: str = "") -> None:
        nonlocal last
        now = time.monotonic()
        if done < total and now - last < PLAIN_SECONDS:
            return
        last = now
        count = f"{done:,} of {total:,}" if total > 1 else "done"
        left = f", about {(now - started) / done * (total - done):,.0f} s left" if 0 < done < total else ""
        line = f"{name}: {count} in {now - started:.1f} s{left}{', ' + text if text else ''}"
        console.print(Text(line), soft_wrap=True)

    return report
