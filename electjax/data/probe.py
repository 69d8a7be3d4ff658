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


def _workbook(path: str, most: int) -> list[tuple[str, list[list[Any]], list[str]]]:
    """The cells of every sheet, and which of them hold an error or a formula without its value.

    These are blank to calamine; here they are the error or the formula, as a blank would mean something else. The text
    of cells that are merged down a column stands in each of them.
    """
    import python_calamine

    book = python_calamine.CalamineWorkbook.from_path(path)
    lacking = _lacking(path, most)
    found = []
    for name in book.sheet_names:
        sheet = book.get_sheet_by_name(name)
        cells = sheet.to_python(skip_empty_area=False)
        for (top, left), (bottom, right) in getattr(sheet, "merged_cell_ranges", None) or ():
            if left == right and bottom < len(cells) and left < len(cells[top]) and isinstance(cells[top][left], str):
                for below in cells[top + 1 : bottom + 1]:
                    below[left] = below[left] if below[left] != "" else cells[top][left]
        said = []
        for place, text in lacking.get(name, ()):
            row, column = _place(place)
            if row < len(cells) and column < len(cells[row]) and cells[row][column] == "":
                cells[row][column] = text
                said.append(f"{place} ({text})")
        found.append((name, cells, said))
    return found


def _lacking(path: str, most: int) -> dict[str, list[tuple[str, str]]]:
    """Of each sheet of an .xlsx the cells with an error, or with a formula that was never computed, and their text."""
    import re
    import zipfile
    from html import unescape

    if not zipfile.is_zipfile(path):
        return {}
    with zipfile.ZipFile(path) as archive:
        files = {info.filename: info.file_size for info in archive.infolist()}
        if "xl/workbook.xml" not in files or "xl/_rels/workbook.xml.rels" not in files or sum(files.values()) > most:
            return {}
        links = archive.read("xl/_rels/workbook.xml.rels").decode("utf-8", "replace")
        sheets = archive.read("xl/workbook.xml").decode("utf-8", "replace")
        target = {}
        for link in re.findall(r"<(?:\w+:)?Relationship\b[^>]*>", links):
            keys = dict(re.findall(r'(\w+)="([^"]*)"', link))
            target[keys.get("Id")] = keys.get("Target", "").removeprefix("/xl/")
        found: dict[str, list[tuple[str, str]]] = {}
        for sheet in re.findall(r"<(?:\w+:)?sheet\b[^>]*>", sheets):
            keys = dict(re.findall(r'([\w:]+)="([^"]*)"', sheet))
            file = f"xl/{target.get(keys.get('r:id'), '')}"
            if file in files:
                text = archive.read(file).decode("utf-8", "replace")
                found[unescape(keys.get("name", ""))] = list(_unsaid(text))
        return found


def _unsaid(text: str) -> Any:
    """Cells of a sheet's XML with an error or a formula without its value."""
    import re
    from html import unescape

    if "<f" not in text and 't="e"' not in text:
        return
    for cell in re.finditer(r"<c\b([^>]*[^>/])>(.*?)</c>", text, re.DOTALL):
        keys, inner = cell.groups()
        place = re.search(r'\br="([A-Z]+\d+)"', keys)
        value = re.search(r"<v>([^<]+)</v>", inner)
        formula = re.search(r"<f\b[^>]*?(?:/>|>([^<]*)</f>)", inner)
        if place and 't="e"' in keys and value:
            yield place[1], unescape(value[1])
        elif place and formula and not value and 't="str"' not in keys:
            yield place[1], "=" + unescape(formula[1] or "")


def _place(name: str) -> tuple[int, int]:
    """Row and column, from 0, of a cell such as B7."""
    letters = name.rstrip("0123456789")
    column = 0
    for letter in letters:
        column = 26 * column + ord(letter) - 64
    return int(name[len(letters) :]) - 1, column - 1


KINDS = {"netcdf": _netcdf, "workbook": _workbook}

if __name__ == "__main__":
    main()
