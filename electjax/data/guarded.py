"""Files that libraries in C open, read first by a process of their own: a damaged one may hang, crash or swell there.

`python -m electjax.data.guarded KIND PATH` is that process. It has limits of time and memory, and what it finds comes
back by its standard output.
"""

import os
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np

from electjax.data.errors import data_error
from electjax.data.unpack import LARGE, RATIO

SECONDS = 12.0  # and a second for each MiB of the file
MEMORY = 2 << 30  # bytes of address space, and 40 for each byte of the file
READ_WHOLE = 1 << 26  # bytes of arrays up to which all values are read, too
_ERROR, _RESULT = b"e", b"r"


def guarded(kind: str, path: Path, *, expected: str, mend: str, where: str | None = None) -> Any:
    """What `KINDS[kind]` finds in a file, found in a process with limits.

    Raises:
        ElectionDataError: the process failed, crashed, or ran into a limit.
    """
    size = size_of(path)
    seconds = SECONDS + size / (1 << 20)
    threads = dict.fromkeys(("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    command = [sys.executable, "-c", f"from electjax.data.guarded import main; main({kind!r})"]
    inside = {"PYTHONPATH": os.pathsep.join([str(Path(__file__).parents[2]), os.environ.get("PYTHONPATH", "")])}
    try:
        done = subprocess.run(
            command,
            input=pickle.dumps((str(path.absolute()), size)),
            env=os.environ | threads | inside,
            capture_output=True,
            timeout=seconds,
            check=False,
        )
    except subprocess.TimeoutExpired:
        problem = f"opening it takes more than {seconds:.0f} s: it is damaged"
        raise data_error(problem, where=where or path.name, expected=expected, mend=mend) from None
    answer = done.stdout
    if answer[:1] == _RESULT:
        return pickle.loads(answer[1:])
    said = answer[1:].decode("utf-8", "replace") if answer[:1] == _ERROR else "it makes the reading library crash"
    raise data_error(f"cannot be opened ({said})", where=where or path.name, expected=expected, mend=mend)


def main(kind: str) -> None:
    """Answer on standard output; whatever libraries print there goes to standard error."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    path, size = pickle.loads(sys.stdin.buffer.read())
    try:
        _limit(MEMORY + 40 * size)
        answer.write(_RESULT + pickle.dumps(KINDS[kind](path, size)))
    except BaseException as error:  # a panic of a library is no Exception
        answer.write(_ERROR + " ".join(f"{error}".split())[:500].encode())
    answer.flush()
    os._exit(0)  # a library that is in a bad state is not asked to clean up


def _limit(memory: int) -> None:
    try:
        import resource
    except ImportError:
        return
    _, most = resource.getrlimit(resource.RLIMIT_AS)
    memory = memory if most == resource.RLIM_INFINITY else min(memory, most)
    resource.setrlimit(resource.RLIMIT_AS, (memory, most))


def size_of(path: Path) -> int:
    """Bytes of a file, or of all files in a folder."""
    if path.is_dir():
        return sum(file.stat().st_size for file in path.rglob("*") if file.is_file())
    return path.stat().st_size if path.exists() else 0


def too_large(claimed: int, size: int) -> bool:
    """Whether arrays are larger than a file of this size can mean."""
    return claimed > max(LARGE, RATIO * size)


def _netcdf(path: str, size: int) -> None:
    """Walk all of an HDF5 file, and read it where it is small."""
    import h5py

    claimed = 0
    with h5py.File(path, "r") as file:
        arrays: list[Any] = []
        file.visititems(lambda name, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        for item in [file, *arrays]:
            dict(item.attrs)
        for array in arrays:
            claimed += int(np.prod(array.shape or (1,), dtype=np.float64)) * array.dtype.itemsize
            if too_large(claimed, size):
                raise ValueError(f"arrays of {claimed:,} bytes in a file of {size:,}")
        for array in arrays:
            if claimed <= READ_WHOLE:
                array[()]


def _workbook(path: str, size: int) -> list[tuple[str, list[list[Any]]]]:
    """The cells of every sheet."""
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_path(path)
    return [(name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names]


KINDS = {"netcdf": _netcdf, "workbook": _workbook}
