"""The process that opens a file for `guarded`: run as a script, it imports the one library that it needs and no more.

A request comes by standard input, the answer goes to standard output, whatever libraries print to standard error.
"""

import os
import pickle
import sys
from typing import Any

READ_WHOLE = 1 << 26  # bytes of arrays up to which all values are read, too
ERROR, RESULT = b"e", b"r"


def main() -> None:
    """Answer one request: what to do, the path, the most bytes of memory and the most bytes of its arrays."""
    answer = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    kind, path, memory, most = pickle.load(sys.stdin.buffer)
    try:
        _limit(memory)
        answer.write(RESULT + pickle.dumps(KINDS[kind](path, most)))
    except BaseException as error:  # a panic of a library is no Exception
        answer.write(ERROR + " ".join(f"{error}".split())[:500].encode())
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


def _netcdf(path: str, most: int) -> None:
    """Walk all of an HDF5 file, and read it where it is small."""
    import h5py

    claimed = 0
    with h5py.File(path, "r") as file:
        arrays: list[Any] = []
        file.visititems(lambda name, item: arrays.append(item) if isinstance(item, h5py.Dataset) else None)
        for item in [file, *arrays]:
            dict(item.attrs)
        for array in arrays:
            size = array.dtype.itemsize
            for length in array.shape or ():
                size *= int(length)
            claimed += size
            if claimed > most:
                raise ValueError(f"arrays of {claimed:,} bytes; expected at most {most:,} in a file of its size")
        for array in arrays:
            if claimed <= READ_WHOLE:
                array[()]


def _workbook(path: str, most: int) -> list[tuple[str, list[list[Any]]]]:
    """The cells of every sheet."""
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_path(path)
    return [(name, book.get_sheet_by_name(name).to_python(skip_empty_area=False)) for name in book.sheet_names]


KINDS = {"netcdf": _netcdf, "workbook": _workbook}

if __name__ == "__main__":
    main()
