"""The command line, run inside a test."""

import sys

from hydra.core.hydra_config import HydraConfig

from electjax.run.main import main


def run(monkeypatch, *overrides: str) -> int:
    """Exit code of `python -m electjax.run` with these arguments."""
    with monkeypatch.context() as patch:
        patch.setattr(sys, "argv", ["electjax", *overrides])
        try:
            main()
        except SystemExit as end:
            return int(end.code or 0)
        finally:
            HydraConfig.instance().cfg = None
    return 0
