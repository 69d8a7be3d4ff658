"""The command line: compose a configuration, run its task, leave one folder.

`python -m electjax.run --help` explains the keys. A mistake of the user ends in one line on stderr, with exit
code 2 where the configuration is wrong and 1 where the data or a file is; an interrupt ends in one line and
code 130.
"""

import os
import sys
import traceback
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import hydra
import platformdirs
from hydra.core.hydra_config import HydraConfig
from hydra.types import RunMode
from omegaconf import DictConfig, OmegaConf

from electjax.config import ConfigError, Task, conf_dir, data_settings, explain, to_settings
from electjax.tasks.folder import atomic_path, drop_empty, fill_folder, shown
from electjax.tasks.hooks import end_sweep
from electjax.tasks.progress import show_progress

if TYPE_CHECKING:
    import xarray as xr

    from electjax.tasks.result import Result

_OFF = {"0", "off", "no", "none", "false"}


def main() -> None:
    """Entry point of `python -m electjax.run` and of the `electjax` command."""
    with _own_messages():
        try:
            hydra.main(version_base="1.3", config_path=str(conf_dir()), config_name="config")(job)()
        except KeyboardInterrupt:
            end_sweep()
            print("electjax: interrupted; the unfinished run left nothing behind", file=sys.stderr)
            sys.exit(130)
        except Exception as error:
            end_sweep()
            sys.exit(complain(error))


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
        result = run(cfg, folder, live=None)
        show_table(result)
        print(f"\n{shown(folder)}")
    except Exception as error:
        sys.exit(complain(error))  # raised here, it passes Hydra without a second message
    finally:
        drop_empty(folder)


def sweep_job(cfg: DictConfig, folder: Path, *, number: int, overrides: list[str]) -> None:
    """Run one job of a sweep; a failure is noted in its folder's job.json, and the sweep goes on."""
    from electjax.tasks.result import write_json

    basic = str(HydraConfig.get().launcher["_target_"]).endswith("BasicLauncher")
    note = {"job": number, "overrides": overrides, "error": None}
    try:
        result = run(cfg, folder, live=None if basic else False, note=note)
        print(
            f"job {number} ({' '.join(overrides)}): done in {result.metrics['seconds']:.1f} s",
            file=sys.stderr,
        )
    except Exception as error:
        complain(error, prefix=f"job {number} ({' '.join(overrides)})")
        note["error"] = one_line(error)
        folder.mkdir(parents=True, exist_ok=True)
        with atomic_path(folder / "job.json") as partial:
            write_json(partial, note)
    finally:
        drop_empty(folder)


def run(cfg: DictConfig, folder: Path, *, live: bool | None, note: dict[str, object] | None = None) -> "Result":
    """Do the task and fill `folder`, which then holds either everything or nothing."""
    settings, data = to_settings(cfg), data_settings(cfg)
    config = OmegaConf.to_yaml(cfg, resolve=True)
    command = " ".join(["python -m electjax.run", *HydraConfig.get().overrides.task])
    use_compilation_cache()
    from electjax.report import write_report
    from electjax.tasks.calibrate import calibrate
    from electjax.tasks.result import write_json, write_result
    from electjax.tasks.simulate import simulate

    task = {Task.calibrate: calibrate, Task.simulate: simulate}[cfg.task]
    election = load_data(data)
    notes = [election.attrs[key] for key in ("note", "paper_mapping") if election.attrs.get(key)]
    with show_progress(live=live, lines=note is None) as stage:
        result = task(election, settings, stage)

        def write(partial: Path) -> None:
            write_result(partial, result, config=config)
            if cfg.report:
                meta = {"command": command, "notes": notes}
                write_report(partial, *result, config_yaml=config, meta=meta)
            if note is not None:
                write_json(partial / "job.json", note)

        report = stage("results" if not cfg.report else "results, figures and report")
        fill_folder(folder, write)
        report(1, 1, "")
    return result


def load_data(settings: dict[str, Any]) -> "xr.Dataset":
    """The election of the data group: a user's file where it has a path, else one of the catalogue."""
    import electjax

    if "path" in settings:
        path = hydra.utils.to_absolute_path(str(Path(settings.pop("path")).expanduser()))
        return electjax.read_returns(path, **settings)
    return electjax.load_election(**settings)


def use_compilation_cache() -> None:
    """Let JAX keep compiled code between runs, in the user's cache folder or in $ELECTJAX_CACHE."""
    import jax

    wanted = os.environ.get("ELECTJAX_CACHE", "")
    if wanted.lower() in _OFF or (not wanted and os.environ.get("JAX_COMPILATION_CACHE_DIR")):
        return
    folder = Path(wanted).expanduser() if wanted else platformdirs.user_cache_path("electjax") / "jax"
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError:
        return  # a cache is a convenience
    jax.config.update("jax_compilation_cache_dir", str(folder.absolute()))
    jax.config.update("jax_persistent_cache_min_compile_time_secs", 0.1)
    jax.config.update("jax_persistent_cache_min_entry_size_bytes", -1)


def show_table(result: "Result") -> None:
    """Print the table of results; piped, it is as wide as it needs to be."""
    from rich.console import Console

    from electjax.report import election_table

    console = Console()
    if not console.is_terminal:
        console = Console(width=200)
    console.print(election_table(result.metrics))


def complain(error: Exception, *, prefix: str = "electjax: error") -> int:
    """Print what went wrong and return the exit code; a defect, not a mistake, comes with its traceback."""
    ours = explain(error) is not None or isinstance(error, ValueError | OSError)
    if not ours or os.environ.get("ELECTJAX_TRACEBACK") == "1":
        traceback.print_exception(error)
    print(f"{prefix}: {one_line(error)}", file=sys.stderr)
    return 2 if explain(error) is not None or isinstance(error, ConfigError) else 1


def one_line(error: Exception) -> str:
    """The message of an error without line breaks."""
    said = explain(error)
    if said is None:
        text = " ".join(str(error).split())
        said = text if text and isinstance(error, ValueError | OSError) else f"{type(error).__name__}: {text}"
    return said


if __name__ == "__main__":
    # workers of a parallel launcher find `job` under the module's own name, not under __main__
    from electjax.run import main as imported_main

    imported_main()
