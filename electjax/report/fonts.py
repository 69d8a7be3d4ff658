"""Fonts of figures: one for most letters, others that are installed for those it lacks, and which letters none has."""

import unicodedata
from collections.abc import Collection
from functools import cache

from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, findfont, fontManager, get_font
from matplotlib.text import Text

_FIRST = "DejaVu Sans"
_SCRIPTS = (
    *("Devanagari", "Bengali", "Gurmukhi", "Gujarati", "Oriya", "Tamil", "Telugu", "Kannada", "Malayalam", "Sinhala"),
    *("Thai", "Khmer", "Myanmar", "Ethiopic", "Georgian", "Armenian", "Hebrew", "Arabic"),
)
_OTHERS = (
    *("Noto Sans", *(f"Noto Sans {script}" for script in _SCRIPTS), "Lohit Devanagari", "Lohit Assamese"),
    *("Noto Sans CJK JP", "Noto Sans CJK SC", "WenQuanYi Zen Hei", "Droid Sans Fallback", "Noto Emoji", "Symbola"),
    *("Nirmala UI", "Mangal", "Segoe UI", "Segoe UI Emoji", "Microsoft YaHei", "Malgun Gothic", "Yu Gothic"),
    *("Kohinoor Devanagari", "Kohinoor Bangla", "Hiragino Sans", "PingFang SC", "Apple SD Gothic Neo"),
    *("Arial Unicode MS", "FreeSans", "Unifont"),
)


@cache
def families() -> list[str]:
    """The font of figures, then those installed that may have what it lacks, in the order in which they are asked."""
    installed = {font.name for font in fontManager.ttflist}
    return [_FIRST, *(name for name in _OTHERS if name in installed)]


@cache
def _letters() -> frozenset[int]:
    """Every letter that the fonts of figures have."""
    paths = (findfont(FontProperties(family=name), fallback_to_default=name == _FIRST) for name in families())
    return frozenset().union(*(get_font(path).get_charmap() for path in paths))


def undrawn(figure: Figure) -> set[str]:
    """The letters in a figure that no installed font has, which are drawn as boxes."""
    letters = {letter for text in figure.findobj(Text) for letter in text.get_text() if letter.isprintable()}
    return {letter for letter in letters if ord(letter) not in _letters()}


def boxes(letters: Collection[str]) -> str:
    """What a page says of such letters."""
    scripts = sorted({unicodedata.name(letter, "letters without a name").split()[0].title() for letter in letters})
    return (
        f"No installed font has {len(letters)} letters of names in the figures ({', '.join(scripts[:5])}:"
        f" {''.join(sorted(letters)[:6])}), which are boxes there; tables and captions have the names whole. Install a"
        " font that has them, such as Noto Sans."
    )
