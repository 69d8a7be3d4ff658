"""Files that libraries in C open, read first by a process of their own: a damaged one may hang, crash or swell there.

That process is `probe`, with limits of time and memory.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

from electjax.data import probe
from electjax.data.errors import data_error
from electjax.data.unpack import LARGE, RATIO

SECONDS = 12.0  # and a second for each MiB of the file
MEMORY = 2 << 30  # bytes of address space, and 40 for each byte of the file


def guarded(kind: str, path: Path, *, expected: str, mend: str, where: str | None = None) -> Any:
    """What `probe.KINDS[kind]` finds in a file, found in a process with limits.

    Raises:
        ElectionDataError: the process failed, crashed, or ran into a limit.
    """
    size = size_of(path)
    seconds = SECONDS + size / (1 << 20)
    try:
        done = subprocess.run(
            [sys.executable, "-P", probe.__file__],  # -P: no file beside the script hides a module
            input=pickle.dumps((kind, str(path.absolute()), MEMORY + 40 * size, max(LARGE, RATIO * size))),
            env=os.environ | dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1"),
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        problem = f"opening it takes more than {seconds:.0f} s: it is damaged"
        raise data_error(problem, where=where or path.name, expected=expected, mend=mend) from None
    answer = done.stdout
    if answer[:1] == probe.RESULT:
        return pickle.loads(answer[1:])
    said = answer[1:].decode("utf-8", "replace") if answer[:1] == probe.ERROR else "it makes the reading library crash"
    raise data_error(f"cannot be opened ({said})", where=where or path.name, expected=expected, mend=mend)


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0


def too_large(claimed: int, size: int) -> bool:
    """Whether arrays are larger than a file of this size can mean."""
    return claimed > max(LARGE, RATIO * size)
