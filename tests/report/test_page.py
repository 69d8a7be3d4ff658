"""The page of a report and its tables, from a report made by hand."""

import subprocess
import sys

import pytest
from rich.console import Console

from electjax.data.verdict import Verdict
from electjax.report.draw import new_figure
from electjax.report.report import Report, ReportFigure, ResultTable, RowsSection, render_page, write_report
from electjax.report.tables import interval_text, number, terminal_table, value_text, with_error, with_interval
from tests.report.page import Page

ROWS = [{"Model": "one\nγ = 0.87", "A": "61\n56–65"}, {"Model": "<two>", "A": ""}]


def a_report(**changes) -> Report:
    """A report with everything a page may have."""
    made = Report(
        title="A title & more",
        headline=["It was done."],
        summary="",
        table=ResultTable(ROWS, "The caption.", "The note.", ["observed", "best"]),
        before=[RowsSection("first", "First", [{"a": "1"}], "Lead.", "After."), RowsSection("none", "None", [])],
        after=[RowsSection("last", "Last", [{"a": "2\n3"}], heading="A longer heading")],
        notes=["Mind <em>.", "Twice."],
        source="Data: here.",
    )
    return made._replace(**changes)


def test_a_page_has_everything_in_its_order():
    html = render_page(a_report(), [("Figures", "What it shows.", b"<svg/>")], config="seed: 1", notes=["Twice."])
    order = ["It was done.", "Data: here.", 'id="table"', "The caption.", "The note.", 'id="first"', "Lead.", "After."]
    order += ['id="figures-1"', "What it shows.", 'id="last"', "A longer heading", "Mind ", "Twice.", "seed: 1"]
    places = [html.index(text, html.index("<body>")) for text in order]
    assert places == sorted(places)
    assert html.startswith("<!DOCTYPE html>")
    assert html.count("Twice.") == 1
    assert "None" not in html
    page = Page(html)
    assert page.rows[:3] == [["Model", "A"], ["one γ = 0.87", "61 56–65"], ["<two>", ""]]
    assert [attributes["class"] for tag, attributes in page.tags if tag == "tr" and "class" in attributes] == [
        "observed",
        "best",
    ]
    anchors = {attributes["href"][1:] for tag, attributes in page.tags if tag == "a"}
    assert anchors == {attributes["id"] for tag, attributes in page.tags if tag == "section"} - {"notes"}


def test_every_text_is_escaped():
    bad = "<script>"
    report = a_report(
        title=bad,
        headline=[bad],
        table=ResultTable([{bad: bad}], bad, bad, [bad]),
        before=[RowsSection("a", bad, [{bad: bad}], bad, bad)],
        notes=[bad],
        source=bad,
    )
    html = render_page(report, [(bad, bad, b"<svg/>")], config=bad, command=bad, notes=[bad])
    assert "script" not in {tag for tag, _ in Page(html).tags}
    assert html.count("&lt;script&gt;") > 12


def test_images_are_told_by_their_content():
    html = render_page(a_report(), [("A", "", b"<svg/>"), ("A", "", b"\x89PNG..")])
    images = [attributes for tag, attributes in Page(html).tags if tag == "img"]
    assert [image["src"].split(";")[0] for image in images] == ["data:image/svg+xml", "data:image/png"]
    assert [image["alt"] for image in images] == ["A", "A"]
    assert html.count("<h2>A</h2>") == 1
    with pytest.raises(ValueError, match="figure 'B': expected PNG or SVG"):
        render_page(a_report(), [("B", "", b"GIF89a")])


def test_a_report_becomes_figures_and_a_page(tmp_path):
    figures = (ReportFigure(f"{name}.png", "Figures", f"{name} alone", lambda: new_figure(1, 1)) for name in "ab")
    write_report(tmp_path, a_report(figures=figures), config="task: it", command="python -m it", notes=["By the way."])
    assert sorted(path.name for path in (tmp_path / "figures").iterdir()) == ["a.png", "b.png"]
    html = (tmp_path / "report.html").read_text("utf-8")
    for text in ("Figures. a alone", "task: it", "python -m it", "By the way.", "numpy"):
        assert text in html
    page = Page(html)
    assert all(a["src"].startswith("data:image/png;base64,") for tag, a in page.tags if tag == "img")
    assert "url(" not in html


def test_a_figure_that_fails_loses_nothing_else(tmp_path):
    def fails():
        raise ValueError("no\nway")

    figures = [ReportFigure("a.png", "A", "", fails), ReportFigure("b.png", "B", "", lambda: new_figure(1, 1))]
    said = write_report(tmp_path, a_report(figures=figures), config="")
    assert said == ["The figure a.png could not be drawn (ValueError: no way)."]
    assert [path.name for path in (tmp_path / "figures").iterdir()] == ["b.png"]
    assert said[0] in (tmp_path / "report.html").read_text("utf-8")


def test_the_verdict_and_its_reasons_lead_the_page():
    report = a_report(verdict=Verdict("with care", ("Few <draws>.",)))
    html = render_page(report, [])
    assert html.index("Use with care") < html.index("Few &lt;draws&gt;.") < html.index('class="lead"')
    assert 'class="verdict' not in render_page(a_report(), [])


def test_a_terminal_shows_the_same_rows():
    console = Console(width=60, record=True)
    console.print(terminal_table("[b]Title[/b]", ROWS, bold=[0], ends=[0], caption="below"))
    text = console.export_text()
    for part in ("one", "γ = 0.87", "56–65", "<two>", "below"):
        assert part in text


def test_numbers_read_as_they_should():
    assert (number(1234.567, 1), number(None, 2), number(float("nan"), 2)) == ("1,234.6", "", "")
    assert (with_error(0.5, 0.125, 2, signed=True), with_error(0.5, None, 1)) == ("+0.50 ± 0.12", "0.5")
    assert with_interval(3, 1, 5, digits=0) == "+3 (+1 to +5)"
    assert (interval_text(0.39, 0.47), interval_text(0.391, 0.4)) == ("39–47", "39.1–40.0")
    assert value_text([[1, 2], [3, 4]]) == "1, 2 | 3, 4"


@pytest.mark.parametrize("wing", ["calm", "voter_types"])
def test_a_wing_reports_with_few_modules(wing):
    code = f"import sys, electjax.{wing}.report.page; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    rooms = [name.split(".")[1:] for name in loaded if name.startswith("electjax.")]
    assert sum(room[0] == "report" for room in rooms) <= 6
    assert sum(room[0] == wing for room in rooms) <= 1 + 8  # its page, figures, tables and what words they take
    assert {room[0] for room in rooms} <= {wing, "report", "data"}
    assert sum(room[0] == "data" for room in rooms) <= 1 + 6  # verdicts, errors, files under a temporary name
