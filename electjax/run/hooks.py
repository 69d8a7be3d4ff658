"""What Hydra calls before a run and around a sweep."""

import contextlib
import sys
from pathlib import Path
from typing import Any, ClassVar

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from omegaconf.errors import OmegaConfBaseException

from electjax.run.folder import claim_folder, drop_empty, shown


class SweepSummary(Callback):
    """Gives every run and every sweep a folder of its own, and every sweep its summary."""

    open_folder: ClassVar[Path | None] = None  # of the sweep this process has begun and not ended

    def on_run_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Claim the folder of a single run, so that two runs in one second do not share it.

        A run that is continued has its own; where it does not, the job says so.
        """
        with contextlib.suppress(OSError, OmegaConfBaseException):  # Hydra meets the same error and reports it
            old = config.resume and Path(config.resume).expanduser()
            config.hydra.run.dir = str(old if old and old.is_dir() else claim_folder(Path(config.hydra.run.dir)))

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        """Claim the folder of the sweep, and hold all jobs to it whatever their own `name` is."""
        with contextlib.suppress(OSError, OmegaConfBaseException):
            folder = claim_folder(Path(config.hydra.sweep.dir))
            SweepSummary.open_folder = folder.absolute()
            config.hydra.sweep.dir = str(folder)
            quoted = str(folder).replace("\\", "\\\\").replace("'", "\\'")
            config.hydra.overrides.hydra.append(f"hydra.sweep.dir='{quoted}'")

    def on_multirun_end(self, config: DictConfig, **kwargs: Any) -> None:
        """Write and print the summary; exit code 1 where a job failed."""
        if end_sweep():
            sys.exit(1)  # not an Exception: those Hydra turns into warnings here


def end_sweep() -> bool:
    """Summarise the sweep this process has begun, if any; say whether one of its jobs failed.

    An interrupted sweep is summarised too, as far as it went. One that never ran a job leaves no folder.
    """
    folder, SweepSummary.open_folder = SweepSummary.open_folder, None
    if folder is None:
        return False
    from electjax.run.sweep import read_jobs, write_summary

    jobs = read_jobs(folder)
    if not jobs:
        (folder / "multirun.yaml").unlink(missing_ok=True)
        drop_empty(folder)
        return False
    write_summary(folder, jobs)
    print((folder / "sweep.md").read_text("utf-8"))
    print(shown(folder))
    return any(job.error for job in jobs)
