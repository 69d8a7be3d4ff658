"""XML without what makes it dangerous: no document types, hence no entities; names without namespaces."""

from collections.abc import Iterator, Sequence
from typing import cast
from xml.etree.ElementTree import Element, ParseError, XMLPullParser, fromstring
from xml.parsers.expat import ExpatError, ParserCreate

from electjax.data.errors import ElectionDataError, data_error

_BLOCK = 1 << 16


def whole(data: bytes, where: str, root: str) -> Element:
    """The root of a small document, and all that is in it.

    Raises:
        ElectionDataError: no XML, a document type in it, or another root.
    """
    _plain(data, where)
    try:
        return _named(fromstring(data), where, root)
    except (ParseError, LookupError) as error:
        raise data_error(f"cannot be read ({error})", where=where, expected="XML", mend="export it again") from None


def elements(data: bytes, where: str, names: Sequence[str], root: str) -> Iterator[Element]:
    """The children of the root with these names, one at a time; others are forgotten as they come.

    Raises:
        ElectionDataError: as `whole`.
    """
    _plain(data, where)
    parser: XMLPullParser[Element] = XMLPullParser(("start", "end"))
    depth = 0
    top: Element | None = None
    try:
        for start in range(0, len(data) + 1, _BLOCK):
            parser.feed(data[start : start + _BLOCK])
            if start + _BLOCK > len(data):
                parser.close()
            for event, element in cast(Iterator[tuple[str, Element]], parser.read_events()):
                depth += 1 if event == "start" else -1
                if top is None:
                    top = _named(element, where, root)
                elif event == "end" and depth == 1:
                    if local(element) in names:
                        yield _named(element, where)
                    top.clear()
    except (ParseError, LookupError) as error:
        raise data_error(f"cannot be read ({error})", where=where, expected="XML", mend="export it again") from None


def _plain(data: bytes, where: str) -> None:
    """Refuse a document type, which alone can declare entities: expat reads up to the root, before which it stands."""
    expat = ParserCreate()
    at_root: list[str] = []

    def refuse(*_: object) -> None:
        raise data_error("it declares a document type", where=where, expected="plain XML", mend="take it out")

    expat.StartDoctypeDeclHandler = refuse
    expat.StartElementHandler = lambda name, _: at_root.append(name)
    try:
        for start in range(0, len(data), _BLOCK):
            expat.Parse(data[start : start + _BLOCK])
            if at_root:
                return
    except (ExpatError, LookupError, ValueError) as error:
        if isinstance(error, ElectionDataError):
            raise
        return  # the parser says what is wrong


def _named(element: Element, where: str, root: str = "") -> Element:
    """An element and all in it, called by names without namespaces."""
    for each in element.iter():
        if "}" in each.tag:
            each.tag = local(each)
    if root and element.tag != root:
        problem = f"the root element is {element.tag!r}"
        raise data_error(problem, where=where, expected=root, mend="name an export")
    return element


def local(element: Element) -> str:
    """The name of an element without its namespace."""
    return element.tag.rpartition("}")[2]


def text(element: Element, path: str) -> str:
    """The text at the end of a path of names, "" where there is none."""
    return " ".join(element.findtext(path, "").split())
