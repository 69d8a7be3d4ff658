"""Elections Canada, official voting results: a row a candidate, whose cell ends with the party in English and French.

As in "Jane Doe Liberal/Libéral", or "Jane Doe ** Liberal/Libéral" of who held a seat before. Nothing but these stars
says where a name ends: the party is what the cells of one French name end with, and that name where there are too few.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import xarray as xr

from electjax.data.table import Column, Table, fold
from electjax.data.vocabulary import find_word
from electjax.districts.options import ReadOptions
from electjax.districts.readers import base, tidy

_HELD = "**"
_ENOUGH = 3  # candidates of a party that share no surname
_ALONE = {"independent", "indépendant", "no affiliation", "aucune appartenance"}


def _matches(table: Table) -> bool:
    position = find_word(table, "candidate")
    if position is None or find_word(table, "party") is not None:
        return False
    if find_word(table, "district") is None or find_word(table, "votes") is None:
        return False
    texts = table.columns[position].present()
    return bool(texts) and 2 * sum(" " in text and "/" in text for text in texts) > len(texts)


def _read(table: Table, options: ReadOptions) -> xr.Dataset:
    position = find_word(table, "candidate")
    assert position is not None
    column = table.columns[position]
    found = _told(column.texts)
    lacks = np.array([bool(text) and pair is None for text, pair in zip(column.texts, found, strict=True)], bool)
    expected, mend = "a name, and the party in English and French", "add the party, or make a column party of them"
    table.refuse(lacks[column.codes], position, lambda row: f"no party in {column.at(row)!r}", expected, mend)
    names, parties = zip(*(pair or ("", "") for pair in found), strict=True)
    known = list(dict.fromkeys(filter(None, parties)))
    note = f"parties are told from the cells of candidates: {', '.join(known[:20])}"
    more = f" and {len(known) - 20} more" if len(known) > 20 else ""
    columns = list(table.columns)
    columns[position] = _column(column, column.name, names)
    table = replace(table, columns=(*columns, _column(column, "party", parties))).noted(note + more)
    return tidy.READER.read(table, options).assign_attrs(reader="canada")


def _column(column: Column, name: str, texts: Sequence[str]) -> Column:
    order = {text: k for k, text in enumerate(dict.fromkeys(texts))}
    return Column(name, np.array([order[text] for text in texts], np.int32)[column.codes], tuple(order))


def _told(texts: Sequence[str]) -> list[tuple[str, str] | None]:
    """Name and party of each cell; None where there is no party."""
    cells = [text.partition("/") for text in texts]
    lefts: dict[str, list[str]] = {}
    english: dict[str, str] = {}
    for left, slash, french in cells:
        _, stars, party = left.partition(_HELD)
        if slash and stars and party.strip():
            english[fold(french)] = party.strip()
        elif slash:
            lefts.setdefault(fold(french), []).append(left.strip())
    for key, own in lefts.items():
        if key not in english and len(set(own)) >= _ENOUGH:
            english[key] = _common_end([left.split() for left in own])
    return [
        _name_and_party(left, french, english.get(fold(french), "")) if slash else None for left, slash, french in cells
    ]


def _common_end(words: Sequence[Sequence[str]]) -> str:
    """The words that all end with, but for one before them at least."""
    most = min(map(len, words)) - 1
    count = next((k for k in range(most) if len({own[-1 - k] for own in words}) > 1), max(most, 0))
    return " ".join(words[0][len(words[0]) - count :])


def _name_and_party(left: str, french: str, english: str) -> tuple[str, str]:
    name, stars, party = left.partition(_HELD)
    party = party.strip() or (english if left.endswith(f" {english}") else "")
    name = name if stars else left.removesuffix(party)
    return name.strip(), "Independent" if {party.casefold(), french.casefold()} & _ALONE else party or french


READER = base.Reader(
    "Elections Canada CSV", "district, candidate with the party in both languages, votes", _matches, _read
)
