"""booths.csv: the booths of a folder, their totals and what else is known of them."""

from typing import NamedTuple

import numpy as np

from electjax.data.errors import data_error
from electjax.data.records import Batch, number
from electjax.data.tables import (
    column_of,
    counts_of,
    fault,
    has,
    labels_of,
    look_up,
    near,
    need_columns,
    no_repeats,
    numbers_of,
)

COLUMNS = "booth, constituency, electors, polled"
PREVIOUS = "previous_"
_OWN = ("booth", "constituency", "electors", "polled")


class Roll(NamedTuple):
    """The booths in order of the file.

    Attributes:
        batch: the table; its rows are the booths.
        labels: different from each other: where two constituencies call a booth alike, "<constituency>/<booth>".
        names: as the file has them.
        constituency: index into `constituencies`, [i].
        electors, polled: [i]; polled is None where the file need not have it and does not.
        previous: share of a party at the previous election by its label, NaN where unknown.
        covariates: numbers by the name of their column.
        notes: texts by the name of their column.
    """

    batch: Batch
    labels: list[str]
    names: list[str]
    constituency: np.ndarray
    constituencies: list[str]
    electors: np.ndarray
    polled: np.ndarray | None
    previous: dict[str, np.ndarray]
    covariates: dict[str, np.ndarray]
    notes: dict[str, np.ndarray]

    def rows_in(self, batch: Batch) -> np.ndarray:
        """The booth of each row of another table, by `booth` and, where that table has it, `constituency`."""
        if not has(batch, "constituency"):
            if len(set(self.names)) < len(self.names):
                raise data_error(
                    "no column 'constituency', and constituencies share labels of booths",
                    where=batch.file,
                    row=1,
                    expected="booth and constituency in this case",
                    mend="add the column constituency, or make the labels of booths differ",
                )
            index = {name: i for i, name in enumerate(self.names)}
            return look_up(batch, "booth", index, "booth", self.batch.file)
        where = {name: a for a, name in enumerate(self.constituencies)}
        constituency = look_up(batch, "constituency", where, "constituency", self.batch.file)
        booth = labels_of(batch, "booth")
        pairs, inverse = np.unique(constituency * np.int64(len(booth.texts)) + booth.codes, return_inverse=True)
        both = {(a, name): i for i, (a, name) in enumerate(zip(self.constituency.tolist(), self.names, strict=True))}
        keys = [(int(p) // len(booth.texts), booth.texts[int(p) % len(booth.texts)]) for p in pairs]
        found = np.array([both.get(key, -1) for key in keys])[inverse]
        if (found < 0).any():
            row = int((found < 0).argmax())
            a, name = keys[inverse[row]]
            own = [n for b, n in both if b == a]
            raise fault(
                batch,
                row,
                "booth",
                f"unknown booth {name!r} in constituency {self.constituencies[a]!r}",
                expected=f"a booth of {self.batch.file}",
                mend=near(name, own),
            )
        return found

    def fault(self, booth: int, column: str, problem: str, *, expected: str, mend: str) -> Exception:
        """The error for a booth's row of booths.csv."""
        return fault(self.batch, booth, column, problem, expected=expected, mend=mend)


def read_roll(batch: Batch, *, need_polled: bool) -> Roll:
    """The booths of the table, one row each."""
    need_columns(batch, *(name for name in _OWN if name != "polled" or need_polled))
    booth, constituency = labels_of(batch, "booth"), labels_of(batch, "constituency")
    names, constituencies = booth.cells().tolist(), list(constituency.present())
    index = {name: a for a, name in enumerate(constituencies)}
    of = constituency.coded(index)
    labels = names
    if len(set(names)) < len(names):
        labels = [f"{constituencies[a]}/{name}" for a, name in zip(of, names, strict=True)]
    no_repeats(
        batch,
        np.unique(labels, return_inverse=True)[1],
        "booth",
        lambda row: f"booth {names[row]!r} of {constituencies[of[row]]!r}",
        "remove one of the two rows",
    )
    electors = counts_of(batch, "electors")
    polled = counts_of(batch, "polled") if has(batch, "polled") else None
    roll = Roll(batch, labels, names, of, constituencies, electors, polled, {}, {}, {})
    if (electors == 0).any():
        raise roll.fault(
            int((electors == 0).argmax()),
            "electors",
            "no electors",
            expected="at least one",
            mend="leave the booth out",
        )
    if polled is not None and (polled > electors).any():
        at = int((polled > electors).argmax())
        raise roll.fault(
            at,
            "polled",
            f"{polled[at]} votes polled by {electors[at]} electors",
            expected="at most as many as electors",
            mend="correct one of the two",
        )
    return _with_more(roll)


def _with_more(roll: Roll) -> Roll:
    """Shares of the previous election, covariates and notes from the other columns."""
    batch = roll.batch
    for name in batch.names:
        if name.casefold() in _OWN:
            continue
        if name.casefold().startswith(PREVIOUS):
            roll.previous[name[len(PREVIOUS) :]] = _shares(batch, name)
        elif _numeric(batch, name):
            values = numbers_of(batch, name)
            if np.isnan(values).any():
                raise roll.fault(
                    int(np.isnan(values).argmax()),
                    name,
                    f"blank in {int(np.isnan(values).sum())} row(s)",
                    expected="a number for every booth, since the column is a covariate",
                    mend="fill it in, or remove the column",
                )
            roll.covariates[name] = values
        else:
            roll.notes[name] = column_of(batch, name).cells()
    if roll.previous:
        total = np.nansum(list(roll.previous.values()), axis=0)
        if (total > 1 + 1e-6).any():
            at = int((total > 1 + 1e-6).argmax())
            raise roll.fault(
                at,
                f"{PREVIOUS}{next(iter(roll.previous))}",
                f"previous shares add up to {total[at]:.6g}",
                expected="shares that add up to at most 1",
                mend="divide by all votes of that election",
            )
    return roll


def _shares(batch: Batch, name: str) -> np.ndarray:
    values = numbers_of(batch, name, "a share in [0, 1], or a blank")
    wrong = (values < 0) | (values > 1)
    if wrong.any():
        at = int(wrong.argmax())
        raise fault(
            batch,
            at,
            name,
            f"found {values[at]:g}",
            expected="a share in [0, 1], or a blank",
            mend="divide percentages by 100",
        )
    return values


def _numeric(batch: Batch, name: str) -> bool:
    """Whether most of what a column holds are numbers; the rest of it are then faults."""
    column = column_of(batch, name)
    filled = ~column.blank
    numbers = np.array([bool(text) and not np.isnan(number(text)) for text in column.texts])[column.codes]
    return bool(filled.any()) and numbers.sum() * 2 > filled.sum()
