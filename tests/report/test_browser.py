"""Pages in a real browser: nothing cut off or overlapping, enough contrast, at every width and in print."""

import numpy as np
import pytest

from electjax.data.verdict import Verdict
from electjax.report.draw import WIDTH, new_figure, png_bytes
from electjax.report.report import ResultTable, RowsSection, render_page
from tests.report.browser import measured, needs_browser
from tests.report.names import DEVANAGARI, MARKS, NAMES, ONE_WORD, TWO_HUNDRED
from tests.report.test_page import a_report

pytestmark = needs_browser

WIDTHS, MEDIA = (400, 800, 1400), ("light", "dark", "print")


@pytest.fixture(scope="module")
def found(tmp_path_factory):
    """A page with difficult names wherever a name may be, and one whose table needs little room."""
    rows = [{"Model": name, **{other: f"{7 * i}\n5–6" for i, other in enumerate(NAMES)}} for name in NAMES]
    words = [{"Party": name, "Said of it": name, "Value": "1.5", "Again": name} for name in NAMES]
    long = a_report(
        title=f"{TWO_HUNDRED} {MARKS}",
        headline=[ONE_WORD, *NAMES],
        verdict=Verdict("not usable", (ONE_WORD, MARKS)),
        table=ResultTable(rows, TWO_HUNDRED, ONE_WORD, ["observed"] * len(rows)),
        before=[RowsSection("a", ONE_WORD, words, ONE_WORD, ONE_WORD, heading=DEVANAGARI)],
        notes=list(NAMES),
    )
    pictures = [(MARKS, ONE_WORD, png_bytes(new_figure(WIDTH, 2))), ("Small", "", png_bytes(new_figure(3, 2)))]
    pages = {
        "long": render_page(long, pictures, config=f"a: {ONE_WORD}", command=MARKS),
        "short": render_page(a_report(verdict=Verdict("with care", ("Few draws.",))), []),
        "good": render_page(a_report(verdict=Verdict("good", ())), []),
    }
    return measured(tmp_path_factory.mktemp("browser"), pages, widths=WIDTHS, media=MEDIA)


def test_every_text_is_within_its_box_and_overlaps_no_other(found):
    assert len(found) == 3 * len(WIDTHS) * len(MEDIA)
    assert {name: page["faults"] for name, page in found.items() if page["faults"]} == {}
    assert min(page["texts"] for page in found.values()) > 20


def test_only_tables_and_figures_scroll_never_the_page(found):
    assert {name: page["scroll"] for name, page in found.items() if page["scroll"] != page["width"]} == {}
    assert any(box["inside"] > box["outside"] for box in found["long/light/400"]["wide"])
    assert all(box["inside"] == box["outside"] for box in found["short/light/400"]["wide"])


@pytest.mark.parametrize("width", WIDTHS)
def test_tables_and_figures_are_whole_in_print(found, width):
    page = found[f"long/print/{width}"]
    assert all(box["inside"] <= box["outside"] and box["reach"] <= width for box in page["wide"])
    assert all(image["width"] <= width for image in page["images"])


def test_texts_contrast_with_what_is_behind_them(found):
    assert min(page["contrast"] for page in found.values()) >= 4.5


def test_text_in_figures_has_one_size_at_every_width(found):
    for width in WIDTHS:
        images = found[f"long/light/{width}"]["images"]
        assert [image["width"] for image in images] == [round(WIDTH * 96), 3 * 96]
        np.testing.assert_allclose([image["natural"] / image["width"] for image in images], 150 / 96, rtol=0.01)
    assert round(WIDTH * 96) <= 1400 - 2 * 22


def test_what_is_wrong_with_a_page_is_found(tmp_path):
    wrong = {
        "leaves": '<p style="width:90px;white-space:nowrap">words that need more than ninety pixels</p>',
        "page": '<p style="width:3000px">' + "word " * 200 + "</p>",
        "overlaps": '<p>one and the same</p><p style="margin-top:-36px">place for two</p>',
        "contrast": '<p style="color:#aaa;background:#fff">pale</p>',
    }
    pages = {name: f"<!DOCTYPE html><html><body>{body}</body></html>" for name, body in wrong.items()}
    found = measured(tmp_path, pages, widths=(800,))
    for name in wrong:
        assert name in " ".join(found[f"{name}/light/800"]["faults"])
