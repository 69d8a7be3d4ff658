"""Pages as a browser lays them out: boxes of their texts at several widths, in light, dark and in print."""

import base64
import html as text_of
import json
import os
import re
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

BROWSER = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome", "chrome"))), "")
needs_browser = pytest.mark.skipif(not BROWSER, reason="no Chromium is installed (apt-get install chromium)")

# Media are chosen by writing their rules as rules for all, so that one start of the browser measures every page.
_MEDIA = {"light": "(prefers-color-scheme: light)", "dark": "(prefers-color-scheme: dark)", "print": "print"}

_MEASURE = """
function luminance(colour) {
  const rgb = colour.match(/[\\d.]+/g).slice(0, 3).map(v => v / 255)
    .map(v => v <= .03928 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4);
  return .2126 * rgb[0] + .7152 * rgb[1] + .0722 * rgb[2];
}
function measure(frame) {
  const page = frame.contentDocument, view = frame.contentWindow, root = page.documentElement;
  const found = {width: root.clientWidth, scroll: root.scrollWidth, texts: 0, faults: [], contrast: 99, wide: []};
  const say = (what, element) => found.faults.push(what + ': ' + element.textContent.trim().slice(0, 40));
  const boxes = [];
  const walker = page.createTreeWalker(page.body, 4);
  while (walker.nextNode()) {
    const node = walker.currentNode, element = node.parentElement;
    if (!node.data.trim() || element.tagName == 'STYLE' || element.namespaceURI.endsWith('svg')) continue;
    const range = page.createRange();
    range.selectNodeContents(node);
    const rects = [...range.getClientRects()].filter(r => r.width > 0.5 && r.height > 0.5);
    if (!rects.length || view.getComputedStyle(element).visibility == 'hidden') continue;
    found.texts += 1;
    const cell = element.closest('td, th, figcaption, caption, p, li, pre, h1, h2, nav, label');
    const around = (cell || page.body).getBoundingClientRect();
    const scrolled = element.closest('.wide');
    const outer = scrolled ? scrolled.getBoundingClientRect() : null;
    for (const r of rects) {
      if (r.left < around.left - 1 || r.right > around.right + 1) say('text leaves its box', element);
      if (!scrolled && (r.left < -1 || r.right > found.width + 1)) say('text leaves the page', element);
      if (scrolled && r.right > outer.left + scrolled.scrollWidth + 1) say('text cannot be scrolled to', element);
      boxes.push([r, element]);
    }
    let behind = element, colour = 'rgba(0, 0, 0, 0)';
    while (behind && /rgba\\(.*, 0\\)|transparent/.test(colour)) {
      colour = view.getComputedStyle(behind).backgroundColor;
      behind = behind.parentElement;
    }
    const pair = [luminance(colour), luminance(view.getComputedStyle(element).color)].sort((a, b) => b - a);
    const ratio = (pair[0] + .05) / (pair[1] + .05);
    if (ratio < 4.5) say('contrast ' + ratio.toFixed(2), element);
    found.contrast = Math.min(found.contrast, ratio);
  }
  for (let i = 0; i < boxes.length; i++)
    for (let j = i + 1; j < boxes.length; j++) {
      const [a, one] = boxes[i], [b, two] = boxes[j];
      const across = Math.min(a.right, b.right) - Math.max(a.left, b.left);
      const down = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
      if (across > 1.5 && down > 5 && one != two && !one.contains(two) && !two.contains(one))
        say('overlaps "' + two.textContent.trim().slice(0, 20) + '"', one);
    }
  for (const box of page.querySelectorAll('.wide'))
    found.wide.push({inside: box.scrollWidth, outside: box.clientWidth, reach: box.getBoundingClientRect().right});
  found.images = [...page.images].map(i => ({width: i.clientWidth, natural: i.naturalWidth, alt: i.alt}));
  return found;
}
window.onload = () => setTimeout(() => {
  const all = [...document.querySelectorAll('iframe')].map(frame => [frame.id, measure(frame)]);
  document.body.textContent = 'MEASURED' + btoa(unescape(encodeURIComponent(JSON.stringify(all)))) + 'END';
}, 50);
"""


def as_media(page: str, media: str) -> str:
    """The page with the rules of one medium as rules for all, those of the others never used."""
    for name, query in _MEDIA.items():
        page = page.replace(f"@media {query}", "@media all" if name == media else "@media not all")
    return page


def measured(folder: Path, pages: Mapping[str, str], *, widths=(400, 800, 1400), media=("light",)) -> dict[str, dict]:
    """What a browser finds of each page, by "name/medium/width".

    Measured: width of the page and of what it holds, the number of texts, the least contrast, boxes that scroll,
    images, and `faults`: texts that leave their cell or page, that overlap, or that contrast too little.
    """
    frames = [
        f'<iframe id="{name}/{medium}/{width}" style="width:{width}px;height:1200px;border:0"'
        f' srcdoc="{text_of.escape(as_media(page, medium), quote=True)}"></iframe>'
        for name, page in pages.items()
        for medium in media
        for width in widths
    ]
    path = folder / "measure.html"
    path.write_text(
        f'<!DOCTYPE html><meta charset="utf-8"><script>{_MEASURE}</script><body>{"".join(frames)}</body>', "utf-8"
    )
    out = chromium(folder, "--dump-dom", "--virtual-time-budget=20000", path.as_uri())
    found = re.search(r"MEASURED([\w+/=]+)END", out)
    assert found, out[-2000:]
    return dict(json.loads(base64.b64decode(found[1])))


def screenshot(folder: Path, page: str, path: Path, *, width: int, height: int = 2400, media: str = "light") -> Path:
    """A picture of the page; a browser's own window is at least 500 pixels wide, so narrow pages are in a frame."""
    frame = (
        f'<iframe style="width:{width}px;height:{height}px;border:0" srcdoc="{text_of.escape(as_media(page, media))}">'
    )
    source = folder / "shown.html"
    source.write_text(f'<!DOCTYPE html><meta charset="utf-8"><body style="margin:0">{frame}</iframe></body>', "utf-8")
    chromium(folder, f"--screenshot={path}", f"--window-size={max(width, 500)},{height}", source.as_uri())
    return path


def chromium(folder: Path, *arguments: str) -> str:
    """What Chromium without a window writes to stdout."""
    basic = [BROWSER, "--headless=new", "--disable-gpu", "--hide-scrollbars", "--disable-dev-shm-usage"]
    root = ["--no-sandbox"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    own = [f"--user-data-dir={folder / 'profile'}", "--no-first-run", "--disable-extensions"]
    done = subprocess.run(
        [*basic, *root, *own, *arguments], capture_output=True, text=True, timeout=120, check=False, cwd=folder
    )
    return done.stdout
