"""The html page that every report is: one self-contained file, images inside, no script and no request to anywhere."""

import base64
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup
from matplotlib.figure import Figure

_SIGNATURES = {b"\x89PNG": "image/png", b"<svg": "image/svg+xml", b"<?xm": "image/svg+xml"}


class ReportFigure(NamedTuple):
    """A figure with its file name (without folder), section title and caption."""

    file: str
    title: str
    caption: str
    figure: Figure


class RowsSection(NamedTuple):
    """A section with a table: `title` in the navigation and, without a longer `heading`, above; text before and after.

    All rows have the same keys, the table's columns; "; " in a value begins a smaller line.
    """

    id: str
    title: str
    rows: Sequence[Mapping[str, str]]
    lead: str = ""
    note: str = ""
    heading: str = ""


class _EmbeddedFigure(NamedTuple):
    source: str
    caption: str
    alt: str


class _Section(NamedTuple):
    id: str
    title: str
    figures: list[_EmbeddedFigure]


def render_page(
    *,
    title: str,
    headline: Sequence[str],
    table: str,
    figures: Sequence[tuple[str, str, bytes]],
    table_note: str = "",
    before: Sequence[RowsSection] = (),
    after: Sequence[RowsSection] = (),
    notes: Sequence[str] = (),
    command: str = "",
    config: str = "",
    versions: Mapping[str, str] | None = None,
) -> str:
    """The page as html text; everything but `table`, which is html, is escaped here.

    Parameters
    ----------
    figures
        ``(title, caption, image)``, the image as PNG or SVG bytes; neighbours with the same title form one section.
        The caption, after the title, is also the image's text for those who cannot see it.
    before, after
        Sections with a table, before and after the figures; one without rows is left out.

    Raises
    ------
    ValueError
        An image is neither PNG nor SVG.
    """
    environment = Environment(
        loader=PackageLoader("electjax.report", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return environment.get_template("template.html").render(
        title=title,
        headline=list(headline),
        table=Markup(table),
        table_note=table_note,
        before=[section for section in before if section.rows],
        sections=_sections(figures),
        after=[section for section in after if section.rows],
        notes=list(notes),
        command=command,
        config=config,
        versions=versions or {},
    )


def _sections(figures: Sequence[tuple[str, str, bytes]]) -> list[_Section]:
    sections: list[_Section] = []
    for title, caption, image in figures:
        if not sections or sections[-1].title != title:
            sections.append(_Section(f"figures-{len(sections) + 1}", title, []))
        alt = f"{title}. {caption}" if caption else title
        sections[-1].figures.append(_EmbeddedFigure(_data_uri(title, image), caption, alt))
    return sections


def _data_uri(title: str, image: bytes) -> str:
    kind = _SIGNATURES.get(image.lstrip()[:4])
    if kind is None:
        raise ValueError(f"figure {title!r}: expected PNG or SVG bytes, got {image[:8]!r}")
    return f"data:{kind};base64,{base64.b64encode(image).decode('ascii')}"
