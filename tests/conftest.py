"""While the tests run, every annotated array shape and type of the arrays rooms is checked.

Programs are compiled with few optimisations, which takes half the time and makes none of the small runs here slow;
set XLA_FLAGS, to nothing for instance, to test them as users compile them. Compiled programs are kept in
.pytest_cache, or in $ELECTJAX_CACHE, and shared by the processes that test; `pytest --cache-clear` forgets them.
"""

import os
from importlib.metadata import version
from pathlib import Path

from jaxtyping import install_import_hook

# XLA ends the process at a flag that it does not know: these are known to the versions named
if (0, 6) <= tuple(int(part) for part in version("jaxlib").split(".")[:2]) < (0, 11):
    quick = "--xla_cpu_use_fusion_emitters=false --xla_backend_optimization_level=1"
    os.environ.setdefault("XLA_FLAGS", quick + " --xla_llvm_disable_expensive_passes=true")

ARRAYS = (
    "electjax.numerics",
    "electjax.districts.kernels",
    "electjax.districts.models",
    "electjax.voter_types.em",
    "electjax.calm.model",
    "electjax.ecological.model",
)
install_import_hook(ARRAYS, "beartype.beartype")

os.environ.setdefault("ELECTJAX_CACHE", str(Path(__file__).parents[1] / ".pytest_cache" / "d" / "programs"))
from electjax.data.programs import start_cache  # noqa: E402

start_cache()
