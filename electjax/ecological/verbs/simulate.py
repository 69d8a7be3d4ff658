"""Units whose cross-tables are known, drawn from the model of `ecological.model` and labelled as a reader does."""

import json
from collections.abc import Sequence
from typing import Any, get_args

import jax
import numpy as np
import xarray as xr

from electjax.data.axes import Axis, axes_of
from electjax.data.checks import check_choice
from electjax.data.errors import data_error
from electjax.ecological.model.data import KINDS
from electjax.ecological.model.generate import ABSTAINED, Drawn, draw_units
from electjax.ecological.model.generate import OTHER as OTHER_KEY
from electjax.ecological.readers.draft import Draft, Side, Traits
from electjax.ecological.schema import DID_NOT_VOTE, OTHER, RowKind
from electjax.ecological.settings import CONTEXT
from electjax.ecological.verbs.read import finished
from electjax.numerics.host import host_generator

PARTIES = ("Anchor", "Beacon", "Cedar", "Delta", "Ember", "Falcon", "Granite", "Harbour", "Iris", "Juniper")
GROUPS = ("hill", "river", "coast", "forest", "plain", "island", "marsh", "valley", "lake", "heath")
AXIS = "background"
CATEGORIES = ("farm", "trade", "office", "school", "harbour", "mine")
_SYLLABLES = (("Ba", "Do", "Ki", "Lu", "Me", "Ra", "So", "Te", "Va", "Ni"), ("lan", "mer", "ro", "sel", "tin", "vo"))
_ENDS = ("a", "en", "is", "o", "ard", "ley", "ström", "ko")


def simulate(
    *,
    contests: int = 24,
    units: int = 40,
    rows: int = 6,
    parties: int = 6,
    kind: RowKind = "votes",
    fielded: float = 0.85,
    voters: float = 400.0,
    context: float = CONTEXT,
    correlation: float = 0.01,
    level: Sequence[float] | None = None,
    tau: Sequence[float] = (0.15, 0.15, 0.3),
    pair_sd: float = 0.5,
    unit_sd: float = 0.5,
    abstention: float = 0.0,
    traits: int = 0,
    affinity: float = 0.5,
    merge_below: float = 0.03,
    seed: int = 0,
    name: str = "generated",
) -> xr.Dataset:
    """Draw contests of invented parties and candidates whose cross-tables are known, unit by unit.

    The model is the one that `ecological.estimate` fits, so that what it assumes can be made right or wrong: by
    default everything is as assumed, and `context` alone decides how far voters are moved by their surroundings.

    Args:
        contests, units: number of contests, and of units in each.
        rows, parties: number of rows, and of parties with candidates; the last of each is OTHER.
        kind: "votes": rows are votes for parties, the first of which also have candidates; "groups": groups of people,
            none with a party of its own.
        fielded: chance that a party beyond the first two has a candidate in a contest.
        voters: median size of a unit.
        context: exponent beta of the surroundings; 0 for none.
        correlation: of two voters of one row of a unit, typically; 0 for multinomial votes.
        level: mean logit of a cell by kind (own party, cross, other). Default: 2, 0, 0; of groups zeros.
        tau: standard deviation of a contest's own deviation, by kind of cell.
        pair_sd: of the pooled logits.
        unit_sd: of the log strength of a row between units of a contest: how different units are.
        abstention: share of a row that does not vote, a column of its own; 0 for no such column.
        traits, affinity: categories that rows and candidates are given on one axis, at most six, and what a shared one
            adds to the logit; 0 for none.
        merge_below: options below this share of a contest become OTHER, as in `ecological.read`.
        seed: the same seed gives the same Dataset.
        name: of the units.

    Returns:
        A units Dataset with `truth` and `unit_truth`; attrs["parameters"]: what it was drawn with, as JSON.

    Raises:
        ElectionDataError: a number out of range.
    """
    check_choice("ecological.simulate(kind=)", kind, get_args(RowKind))
    given: dict[str, Any] = {"rows": rows, "parties": parties, "unit_sd": unit_sd, "pair_sd": pair_sd, "tau": tau}
    given |= {"contests": contests, "units": units, "fielded": fielded, "voters": voters, "abstention": abstention}
    given |= {"traits": traits, "affinity": affinity}
    given["level"] = level if level is not None else (2.0, 0.0, 0.0) if kind == "votes" else (0.0, 0.0, 0.0)
    _check(given | {"context": context, "correlation": correlation, "merge_below": merge_below})
    keys = jax.random.split(jax.random.key(seed))
    drawn = draw_units(keys[0], beta=context, rho=correlation, **given)
    rng = host_generator(keys[1])
    axes = axes_of({AXIS: {"categories": list(CATEGORIES[:traits]), "kernel": "match"}}) if traits else ()
    draft = _drafted(drawn, rng, kind, axes, source=f"ecological.simulate, seed {seed}")
    found = finished(draft, name=name, merge_below=merge_below)
    parameters = {"context": context, "correlation": correlation, "kind": kind, "seed": seed, **given}
    parameters |= {"level": list(given["level"]), "tau": list(tau)}
    parameters |= {"correlations": drawn.parameters.rho.tolist(), "pair_logit": drawn.parameters.pair.tolist()}
    return found.assign_attrs(
        parameters=json.dumps(parameters),
        note=f"These votes were generated, with a context exponent of {context:g}.",
    )


def _drafted(drawn: Drawn, rng: np.random.Generator, kind: RowKind, axes: tuple[Axis, ...], *, source: str) -> Draft:
    """The units as a reader would have found them, without empty ones."""
    of, unit = np.nonzero(drawn.rows.sum(axis=2) > 0)
    labels = [f"district {d + 1:0{len(str(len(drawn.rows)))}d}" for d in range(len(drawn.rows))]
    people = kind == "groups"
    rows = [[_named(key, GROUPS if people else PARTIES) for key in own] for own in drawn.row_key]
    row_party = [[name if name == OTHER or not people else "" for name in own] for own in rows]
    parties = [
        ["" if key == ABSTAINED else _named(key, PARTIES) for key in own[here]]
        for own, here in zip(drawn.column_key, drawn.column_here, strict=True)
    ]
    candidates = [[_candidate(rng, party) for party in own] for own in parties]
    tables = drawn.tables[of, unit].astype(np.float64)
    truth = np.zeros((len(labels), *tables.shape[1:]))
    np.add.at(truth, of, tables)
    traits = [_traits(trait) if axes else None for trait in (drawn.row_trait, drawn.column_trait)]
    return Draft(
        where=source,
        contests=labels,
        keys=[(label,) for label in labels],
        of=of,
        names=[f"unit {u + 1:02d}" for u in unit],
        rows=Side(rows, row_party, drawn.rows[of, unit], traits[0]),
        columns=Side(candidates, parties, drawn.columns[of, unit], traits[1]),
        kind=kind,
        lines=np.arange(len(of)),
        truth=truth,
        unit_truth=tables,
        axes=axes,
    )


def _named(key: int, names: Sequence[str]) -> str:
    if key == OTHER_KEY:
        return OTHER
    return names[key] if key < len(names) else f"{names[key % len(names)]} {key // len(names) + 1}"


def _candidate(rng: np.random.Generator, party: str) -> str:
    """An invented person of a party; what has none is no person."""
    person = "".join(rng.choice(part) for part in (*_SYLLABLES, _ENDS))
    return DID_NOT_VOTE if not party else OTHER if party == OTHER else f"{person} ({party})"


def _traits(trait: np.ndarray) -> Traits:
    """Categories of the one axis; -1 is unknown."""
    label = np.array([*CATEGORIES, ""])[trait]
    return Traits(label[:, :, None], (), np.zeros((*trait.shape, 0)))


def _check(given: dict[str, Any]) -> None:
    def need(name: str, good: bool, expected: str) -> None:
        if not good:
            where = f"ecological.simulate({name}=)"
            raise data_error(f"found {given[name]!r}", where=where, expected=expected, mend="change it")

    for name, least in (("contests", 1), ("units", 1), ("rows", 2), ("parties", 2), ("traits", 0)):
        whole = isinstance(given[name], int) and not isinstance(given[name], bool)
        need(name, whole and given[name] >= least, f"a whole number of at least {least}")
    need("traits", given["traits"] <= len(CATEGORIES), f"at most {len(CATEGORIES)}")
    need("voters", 0 < given["voters"] < np.inf, "a number above 0")
    need("context", 0 <= given["context"] <= 2, "an exponent between 0 (no context) and 2")
    need("fielded", 0 <= given["fielded"] <= 1, "a share from 0 to 1")
    for name in ("correlation", "abstention", "merge_below"):
        need(name, 0 <= given[name] < 1, "a number in [0, 1), 0 for none")
    for name in ("pair_sd", "unit_sd"):
        need(name, 0 <= given[name] < np.inf, "a number of at least 0")
    for name in ("level", "tau"):
        values = np.asarray(given[name], float)
        need(name, values.shape == (len(KINDS),), f"{len(KINDS)} numbers: {', '.join(KINDS)}")
    need("tau", min(given["tau"]) >= 0, "numbers of at least 0")
