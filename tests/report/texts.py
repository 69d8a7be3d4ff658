"""Texts of a figure as they are drawn: which leave the figure, and which overlap each other."""

from unittest.mock import patch

import numpy as np
from matplotlib.figure import Figure
from matplotlib.text import Text

from electjax.report.draw import WIDTH, look


def drawn_texts(figure: Figure) -> list[Text]:
    """The texts that are drawn, tick labels outside of the axes' limits left out."""
    seen: dict[int, Text] = {}
    plain = Text.draw

    def draw(self, renderer, *args, **kwargs):
        if self.get_visible() and self.get_text().strip():
            seen[id(self)] = self
        return plain(self, renderer, *args, **kwargs)

    with look(), patch.object(Text, "draw", draw):
        figure.canvas.draw()
        seen.clear()  # of the layout
        figure.canvas.draw()
    return list(seen.values())


def overlapping(figure: Figure) -> list[str]:
    """What is wrong with the texts of a figure: too wide for a page, outside, across each other, of another size."""
    faults = [f"{figure.get_figwidth():.1f} inches wide"] if figure.get_figwidth() > WIDTH else []
    texts = drawn_texts(figure)
    assert texts, "no text"
    boxes = np.array([text.get_window_extent().extents for text in texts])
    whole = figure.bbox.extents
    said = [" ".join(text.get_text().split())[:40] for text in texts]
    for text, box, name in zip(texts, boxes, said, strict=True):
        if (box[:2] < whole[:2] - 1).any() or (box[2:] > whole[2:] + 1).any():
            faults.append(f"{name!r} leaves the figure")
        if not 8 <= text.get_fontsize() <= 9:
            faults.append(f"{name!r} has {text.get_fontsize():g} pt")
        if text.get_rotation() % 90:
            faults.append(f"{name!r} is aslant")
    for i, one in enumerate(boxes):
        for j in range(i + 1, len(boxes)):
            common = np.minimum(one[2:], boxes[j][2:]) - np.maximum(one[:2], boxes[j][:2])
            if (common > 1.5).all():
                faults.append(f"{said[i]!r} overlaps {said[j]!r}")
    return faults
