"""XML without what makes it dangerous: no document types, hence no entities; names without namespaces."""

from collections.abc import Iterator, Sequence
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser

from electjax.data.errors import data_error

_BLOCK = 1 << 16
_TYPES = [b"<!DOCTYPE", *("<!DOCTYPE".encode(codec) for codec in ("utf-16-le", "utf-16-be"))]


def elements(data: bytes, where: str, names: Sequence[str] = (), *, root: str = "") -> Iterator[Element]:
    """The elements with these names below the root, one at a time; without names the root alone, whole.

    Args:
        data: of the file.
        where: it is, for errors.
        names: of children of the root; other children are forgotten as they come.
        root: the name that the root must have.

    Raises:
        ElectionDataError: no XML, a document type in it, or another root.
    """
    parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    depth = 0
    top: Element | None = None
    try:
        for start in range(0, len(data) + 1, _BLOCK):
            block = data[start : start + _BLOCK]
            if top is None and any(mark in data[: start + _BLOCK] for mark in _TYPES):
                raise data_error("it declares a document type", where=where, expected="plain XML", mend="take it out")
            parser.feed(block)
            if start + _BLOCK > len(data):
                parser.close()
            for event, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
                depth += 1 if event == "start" else -1
                if top is None:
                    top = element
                    if root and local(element) != root:
                        problem = f"the root element is {local(element)!r}"
                        raise data_error(problem, where=where, expected=root, mend="name an export")
                elif event == "end" and depth == 1 and names:
                    if local(element) in names:
                        yield element
                    top.clear()
    except ParseError as error:
        raise data_error(f"cannot be read ({error})", where=where, expected="XML", mend="export it again") from None
    except LookupError as error:
        raise data_error(str(error), where=where, expected="a known encoding", mend="write it in UTF-8") from None
    if not names and top is not None:
        yield top


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return str(element.tag).rpartition("}")[2]


def inner(element: Element, *path: str) -> Element | None:
    """The first element at the end of a path of names."""
    found: Element | None = element
    for name in path:
        found = None if found is None else next((each for each in found if local(each) == name), None)
    return found


def text(element: Element, *path: str) -> str:
    """The text at the end of a path of names, "" where there is none."""
    found = inner(element, *path)
    return "" if found is None or found.text is None else " ".join(found.text.split())
