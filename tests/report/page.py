"""A page as its reader sees it."""

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags with their attributes, and cell texts by table row, smaller lines after a space."""

    def __init__(self, html: str):
        super().__init__()
        self.tags: list[tuple[str, dict]] = []
        self.rows: list[list[str]] = []
        self._cell = False
        self.feed(html)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
            self._cell = True
        elif tag == "small":
            self.rows[-1][-1] += " "

    def handle_endtag(self, tag):
        self._cell = self._cell and tag not in {"td", "th"}

    def handle_data(self, data):
        if self._cell:
            self.rows[-1][-1] += data.strip()
