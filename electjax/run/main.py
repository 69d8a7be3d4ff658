"""The command line: compose a configuration, run its task, leave one folder.

`python -m electjax.run --help` explains the keys. A mistake of the user ends in one line on stderr, with exit
code 2 where the configuration is wrong and 1 where the data or a file is; an interrupt ends in one line and
code 130, SIGTERM in one and 143. Where a checkpoint is left, the line after it says how to go on.
"""

import os
import signal
import sys
import threading
import traceback
import warnings
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import hydra
from hydra.core.global_hydra import GlobalHydra
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig

from electjax import __version__
from electjax.data.programs import start_cache
from electjax.run.config import conf_dir, job_of, resolved, restore
from electjax.run.errors import ConfigError
from electjax.run.folder import (
    atomic_path,
    drop_empty,
    fill_folder,
    finish_folder,
    read_unfinished,
    shown,
    unfinished_folder,
)
from electjax.run.help import long_help, short_help, task_help
from electjax.run.hooks import end_sweep
from electjax.run.mistakes import explain
from electjax.run.progress import show_progress

if TYPE_CHECKING:
    from rich.console import RenderableType

    from electjax.report.report import Report
    from electjax.report.result import Result


def main() -> None:
    """Entry point of `python -m electjax.run`, `python -m electjax` and the `electjax` command."""
    if len(sys.argv) < 2:
        print(short_help())
        return
    if "--version" in sys.argv[1:]:
        print(f"electjax {__version__}")
        return
    with _own_messages(), _terminated():
        try:
            if {"--help", "-h"} & set(sys.argv[1:]):
                show_help([argument for argument in sys.argv[1:] if not argument.startswith("-")])
                return
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(job)()
        except KeyboardInterrupt as interrupt:
            end_sweep()
            left = how_to_go_on(interrupt)
            code, word = (143, "ended") if isinstance(interrupt, Terminated) else (130, "interrupted")
            print(f"electjax: {word}{'' if left else '; the unfinished run left nothing behind'}", file=sys.stderr)
            print(left, end="", file=sys.stderr)
            sys.exit(code)
        except Exception as error:
            end_sweep()
            sys.exit(complain(error))


class Terminated(KeyboardInterrupt):
    """The process was asked to end (SIGTERM), as by a job scheduler whose time is over."""


@contextmanager
def _terminated() -> Iterator[None]:
    """Let SIGTERM end a run as Ctrl-C does."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return

    def end(*_: object) -> None:
        raise Terminated

    before = signal.signal(signal.SIGTERM, end)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def show_help(overrides: list[str]) -> None:
    """Print what these overrides choose, with every key; Hydra would take its time to list its groups as well."""
    GlobalHydra.instance().clear()
    with hydra.initialize_config_dir(str(conf_dir()), version_base="1.3"):
        cfg = hydra.compose("config", overrides)
    print(task_help(cfg, overrides) if overrides else long_help(cfg))


@contextmanager
def _own_messages() -> Iterator[None]:
    """Let Hydra raise its errors instead of printing them, and warnings be one line."""
    before, form = dict(os.environ), warnings.formatwarning
    if before.get("HYDRA_FULL_ERROR") == "1":
        os.environ["ELECTJAX_TRACEBACK"] = "1"
    os.environ["HYDRA_FULL_ERROR"] = "1"
    warnings.formatwarning = lambda message, *_, **__: f"electjax: warning: {message}\n"
    try:
        yield
    finally:
        warnings.formatwarning = form
        for name in ("HYDRA_FULL_ERROR", "ELECTJAX_TRACEBACK"):
            os.environ.pop(name, None)
            os.environ.update({name: before[name]} if name in before else {})


def job(cfg: DictConfig) -> None:
    """Run one job in the folder that Hydra made for it."""
    context = HydraConfig.get()
    folder = Path(context.runtime.output_dir)
    if context.mode == RunMode.MULTIRUN:
        sweep_job(cfg, folder, number=int(context.job.num), overrides=list(context.overrides.task))
        return
    try:
        if cfg.resume is None:
            result, table = run(cfg, folder, live=None, command=command_of(context.overrides.task))
            if result is None:
                print(table)
                sys.exit(1 if getattr(table, "error", "") else 0)
        else:
            others = [key for key in context.overrides.task if not key.lstrip("+").startswith("resume=")]
            table = resume(cfg.resume, live=None, others=others)
        show_table(table)
        print(f"\n{shown(folder)}")
    except Exception as error:
        sys.exit(complain(error))  # raised here, it passes Hydra without a second message
    finally:
        drop_empty(folder)


def sweep_job(cfg: DictConfig, folder: Path, *, number: int, overrides: list[str]) -> None:
    """Run one job of a sweep; a failure is noted in its folder's job.json, and the sweep goes on."""
    from electjax.report.result import write_json

    basic = str(HydraConfig.get().launcher["_target_"]).endswith("BasicLauncher")
    note = {"job": number, "overrides": overrides, "error": None}
    try:
        if cfg.resume is not None:
            raise ConfigError("resume: one run at a time, without -m")
        result, _ = run(cfg, folder, live=None if basic else False, command=command_of(overrides), note=note)
        took = "" if result is None else f" in {result.metrics['seconds']:.1f} s"
        print(f"job {number} ({' '.join(overrides)}): done{took}", file=sys.stderr)
    except Exception as error:
        complain(error, prefix=f"job {number} ({' '.join(overrides)})")
        note["error"] = one_line(error)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / "job.json") as partial:
            write_json(partial, note)
    finally:
        drop_empty(folder)


def resume(given: str, *, live: bool | None, others: list[str]) -> "RenderableType":
    """Continue the unfinished run in a folder, as it was set; one of a sweep also renews the sweep's summary."""
    if others:
        raise ConfigError(f"resume: the run goes on as it was set; expected no other key, got {others[0]}")
    folder = Path(hydra.utils.to_absolute_path(str(Path(given).expanduser())))
    try:
        config, facts = read_unfinished(folder)
    except ValueError as error:
        raise ConfigError(f"resume: {error}") from None
    facts = {"command": command_of([f"resume={given}"]), "note": None} | facts
    _, table = run(restore(config), folder, live=live, resumed=True, **facts)
    if facts["note"] is not None and (folder.parent / "multirun.yaml").is_file():
        from electjax.run.sweep import read_jobs, write_summary

        write_summary(folder.parent, read_jobs(folder.parent))
    return table


def run(
    cfg: DictConfig,
    folder: Path,
    *,
    live: bool | None,
    command: str,
    note: dict[str, object] | None = None,
    launched: str | None = None,
    resumed: bool = False,
) -> "tuple[Result | None, RenderableType]":
    """Do the task and fill `folder`, which then holds everything; or nothing, or what can be continued.

    note: the content of job.json of a job of a sweep. launched: the folder that relative paths start from.
    Returns the result, and its table for the terminal; no result of a task that only says something.
    """
    task, source, chosen, options = job_of(cfg)
    launched = launched or hydra.utils.get_original_cwd()
    if task.show is not None:
        return None, task.show(chosen, Path(launched))
    options = task.placed(options, Path(launched))
    config = resolved(cfg)
    start_cache()
    from electjax.data.notes import notes_of
    from electjax.data.verdict import metrics_of
    from electjax.kinds import save
    from electjax.report.csv import write_tables
    from electjax.report.report import write_report
    from electjax.report.result import write_json

    data = source.load(chosen, Path(launched), options)
    if told := "; ".join(notes_of(data)):
        print(f"electjax: {told}", file=sys.stderr)
    notes = [data.attrs[key] for key in ("note", "paper_mapping") if data.attrs.get(key)]
    if resumed:
        notes.append("This run was interrupted and continued; the time is that of its last part.")

    def write(partial: Path) -> None:
        (partial / "config.yaml").write_text(config, "utf-8")
        told = {} if report.verdict is None else {"verdict": metrics_of(report.verdict)}
        write_json(partial / "metrics.json", result.metrics | told)
        save(data, partial / "data.nc")
        for name, fit in task.fits(result).items():
            save(fit, partial / (f"fit_{name}.nc" if name else "fit.nc"))
        task.write(partial, result)
        write_tables(partial, task.tables(result))
        if note is not None:
            write_json(partial / "job.json", note)

    with show_progress(live=False if cfg.quiet else live, lines=not cfg.quiet and (note is None or resumed)) as stage:
        with ExitStack() as stack:
            fill = fill_folder
            if task.resumes(options):
                facts = {"command": command, "note": note, "launched": launched}
                checkpoints = stack.enter_context(unfinished_folder(folder, config, facts))
                options, fill = replace(options, checkpoints=str(checkpoints)), finish_folder
            result = task.run(data, options, stage)
            said = stage("results")
            report = task.report(result)
            fill(folder, write)
            said(1, 1, "")
        if cfg.report:  # after the result is safe
            said = stage("figures and report")
            try:
                faults = write_report(folder, report, config=config, command=command, notes=notes)
            except BaseException as error:
                error.add_note(f"the result is whole in {shown(folder)}; only its report is missing")
                raise
            for fault in faults:
                warnings.warn(fault, stacklevel=1)
            said(1, 1, "")
    return result, with_verdict(report)


def with_verdict(report: "Report") -> "RenderableType":
    """The table for the terminal, below what makes the result doubtful."""
    from rich.console import Group
    from rich.text import Text

    found = report.verdict
    if found is None:
        return report.summary
    told = found.lines or [f"verdict: {found.level}"]
    return Group(*(Text(line, style="bold" if found.reasons else "") for line in told), report.summary)


def command_of(overrides: Iterable[str]) -> str:
    """What was typed."""
    return " ".join(["python -m electjax.run", *overrides])


def show_table(table: "RenderableType") -> None:
    """Print the table of results; piped, it is as wide as it needs to be."""
    from rich.console import Console

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(table)


def complain(error: Exception, *, prefix: str = "electjax: error") -> int:
    """Print what went wrong and return the exit code; a defect, not a mistake, comes with its traceback."""
    ours = explain(error) is not None or isinstance(error, ValueError | OSError)
    if not ours or os.environ.get("ELECTJAX_TRACEBACK") == "1":
        traceback.print_exception(error)
    print(f"{prefix}: {one_line(error)}", file=sys.stderr)
    print(how_to_go_on(error), end="", file=sys.stderr)
    return 2 if explain(error) is not None or isinstance(error, ConfigError) else 1


def how_to_go_on(error: BaseException) -> str:
    """A line for every note of ours that the error was given."""
    notes = [note for note in getattr(error, "__notes__", []) if "resume=" in note or "the result is whole" in note]
    return "".join(f"electjax: {note}\n" for note in notes)


def one_line(error: Exception) -> str:
    """The message of an error without line breaks."""
    said = explain(error)
    if said is None:
        text = " ".join(str(error).split())
        said = text if text and isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"
    return said
