"""The figures of docs/reading-files.md are those of the committed results."""

from benchmarks.data.figures import BEGIN, END, PAGE, with_figures


def test_the_page_has_the_committed_figures():
    page = PAGE.read_text("utf-8")
    assert page.count(BEGIN) == page.count(END) == 1
    assert page == with_figures(page)
