"""What a wing reports of a result, and the files that come of it: figures and one self-contained page.

The page has its images inside, no script and no request to anywhere.
"""

import base64
import platform
import struct
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from matplotlib.figure import Figure
from rich.console import RenderableType

from electjax.data.files import atomic_path
from electjax.data.verdict import Verdict
from electjax.report.draw import DPI, save_figure
from electjax.report.fonts import boxes, undrawn
from electjax.report.tables import Rows, numeric_columns

_SIGNATURES = {b"\x89PNG": "image/png", b"<svg": "image/svg+xml", b"<?xm": "image/svg+xml"}
_DECIDE = ("electjax", "jax", "jaxlib", "numpy", "xarray")  # libraries that decide the numbers


class ReportFigure(NamedTuple):
    """A figure with its file name (without folder), section title and caption; neighbours of one title share a section.

    The caption, after the title, is also the image's text for those who cannot see it. `draw` makes the figure when the
    page is written, so that one that fails loses nothing else.
    """

    file: str
    title: str
    caption: str
    draw: Callable[[], Figure]


class RowsSection(NamedTuple):
    """A section with a table: `title` in the navigation and, without a longer `heading`, above; text before and after.

    All rows have the same keys, the table's columns. A section without rows is left out.
    """

    id: str
    title: str
    rows: Rows
    lead: str = ""
    note: str = ""
    heading: str = ""


class ResultTable(NamedTuple):
    """The page's first table: its rows, a caption below, a note after it, and the kind of each row for its look."""

    rows: Rows
    caption: str = ""
    note: str = ""
    kinds: Sequence[str] = ()


class Report(NamedTuple):
    """What a wing says of a result. A line break in a text of a table begins a smaller line.

    Attributes:
        title: of the page.
        headline: sentences that tell what was found, then what was done.
        summary: tables for a terminal.
        table: the page's first table.
        figures: drawn one by one, when they are asked for.
        before, after: sections with a table, before and after the figures.
        notes: sentences at the end.
        source: one sentence on where the data are from.
        verdict: whether the result can be relied on; what speaks against it leads the page.
    """

    title: str
    headline: Sequence[str]
    summary: RenderableType
    table: ResultTable
    figures: Iterable[ReportFigure] = ()
    before: Sequence[RowsSection] = ()
    after: Sequence[RowsSection] = ()
    notes: Sequence[str] = ()
    source: str = ""
    verdict: Verdict | None = None


class _Image(NamedTuple):
    source: str
    caption: str
    alt: str
    width: int  # CSS pixels at which text has its size; 0 where the image does not say
    height: int


class _Section(NamedTuple):
    id: str
    title: str
    figures: list[_Image]


def write_report(
    folder: Path, report: Report, *, config: str, command: str = "", notes: Sequence[str] = ()
) -> list[str]:
    """Write `figures/*.png` and then `report.html` into the folder of a run; return what went wrong with figures.

    A figure that cannot be drawn is left out, and the page says so: the result is worth more than its picture.

    Args:
        folder: of the run.
        report: what the wing says.
        config: text of the configuration.
        command: what was typed.
        notes: sentences after those of the report.
    """
    images: list[tuple[str, str, bytes]] = []
    faults, boxed = [], set()
    for figure in report.figures:
        try:
            drawn = figure.draw()
            path = save_figure(drawn, folder / "figures" / figure.file)
            boxed |= undrawn(drawn)
        except Exception as error:  # whatever the drawing library raises
            said = f"{type(error).__name__}: {' '.join(str(error).split())}"
            faults.append(f"The figure {figure.file} could not be drawn ({said}).")
        else:
            images.append((figure.title, figure.caption, path.read_bytes()))
    if boxed:
        faults.append(boxes(boxed))
    page = render_page(report, images, config=config, command=command, notes=[*notes, *faults])
    with atomic_path(folder / "report.html") as partial:
        partial.write_text(page, "utf-8")
    return faults


def render_page(
    report: Report,
    images: Sequence[tuple[str, str, bytes]],
    *,
    config: str = "",
    command: str = "",
    notes: Sequence[str] = (),
) -> str:
    """The page as html text; every text is escaped here.

    Args:
        report: what the wing says; its figures are not drawn here.
        images: title, caption and PNG or SVG bytes of each figure.
        config, command, notes: as of `write_report`.

    Raises:
        ValueError: an image is neither PNG nor SVG.
    """
    environment = Environment(
        loader=PackageLoader("electjax.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html").render(
        numeric_columns=numeric_columns,
        title=report.title,
        verdict=report.verdict,
        headline=[*report.headline, *([report.source] if report.source else [])],
        table=report.table,
        before=[section for section in report.before if section.rows],
        sections=_sections(images),
        after=[section for section in report.after if section.rows],
        notes=list(dict.fromkeys([*report.notes, *notes])),
        command=command,
        config=config,
        versions=versions(),
    )


def source_text(kind: str, attrs: Mapping[str, object]) -> str:
    """Where data are from, in a sentence, by the attribute `source`; nothing where there is none."""
    return f"{kind}: {str(attrs['source']).rstrip('.')}." if attrs.get("source") else ""


def versions() -> dict[str, str]:
    """Versions of the package, of Python and of the libraries that decide the numbers."""
    numbers = {}
    for name in _DECIDE:
        try:
            numbers[name] = version(name)
        except PackageNotFoundError:
            numbers[name] = "not installed as a package"
    return numbers | {"Python": platform.python_version(), "system": platform.platform()}


def _sections(images: Sequence[tuple[str, str, bytes]]) -> list[_Section]:
    sections: list[_Section] = []
    for title, caption, image in images:
        if not sections or sections[-1].title != title:
            sections.append(_Section(f"figures-{len(sections) + 1}", title, []))
        alt = f"{title}. {caption}" if caption else title
        sections[-1].figures.append(_Image(_data_uri(title, image), caption, alt, *_size(image)))
    return sections


def _size(image: bytes) -> tuple[int, int]:
    """Width and height of a PNG in CSS pixels, of which an inch of a figure has 96."""
    if not image.startswith(b"\x89PNG") or len(image) < 24:
        return 0, 0
    width, height = struct.unpack(">II", image[16:24])
    return round(width * 96 / DPI), round(height * 96 / DPI)


def _data_uri(title: str, image: bytes) -> str:
    kind = _SIGNATURES.get(image.lstrip()[:4])
    if kind is None:
        raise ValueError(f"figure {title!r}: expected PNG or SVG bytes, got {image[:8]!r}")
    return f"data:{kind};base64,{base64.b64encode(image).decode('ascii')}"
