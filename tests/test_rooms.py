"""The core is arrays alone: importing it loads none of the libraries for labels, files, config or figures."""

import subprocess
import sys

import pytest

HEAVY = ("xarray", "pandas", "hydra", "omegaconf", "matplotlib", "h5netcdf", "h5py", "rich", "jinja2", "scipy.stats")


@pytest.mark.parametrize(
    "module", ["electjax.districts.kernels.polling", "electjax.districts.models", "electjax.districts.abc"]
)
def test_core_loads_no_heavy_library(module: str) -> None:
    code = f"import sys, {module}; print(*[name for name in {HEAVY!r} if name in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == []
