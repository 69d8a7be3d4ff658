"""Units whose cross-tables are known, drawn from the model of `ecological.model` and labelled as a reader does."""

import json
from collections.abc import Sequence

import jax
import numpy as np
import xarray as xr

from electjax.data.axes import Axis, axes_of
from electjax.data.options import with_options
from electjax.ecological.model.generate import ABSTAINED, Drawn, draw_units
from electjax.ecological.model.generate import OTHER as OTHER_KEY
from electjax.ecological.options import RowKind, SimulateOptions
from electjax.ecological.readers.draft import Draft, Side, Traits, finished
from electjax.ecological.schema import DID_NOT_VOTE, OTHER
from electjax.numerics.host import host_generator

PARTIES = ("Anchor", "Beacon", "Cedar", "Delta", "Ember", "Falcon", "Granite", "Harbour", "Iris", "Juniper")
GROUPS = ("hill", "river", "coast", "forest", "plain", "island", "marsh", "valley", "lake", "heath")
AXIS = "background"
CATEGORIES = ("farm", "trade", "office", "school", "harbour", "mine")
_SYLLABLES = (("Ba", "Do", "Ki", "Lu", "Me", "Ra", "So", "Te", "Va", "Ni"), ("lan", "mer", "ro", "sel", "tin", "vo"))
_ENDS = ("a", "en", "is", "o", "ard", "ley", "ström", "ko")


@with_options
def simulate(*, options: SimulateOptions) -> xr.Dataset:
    """Draw contests of invented parties and candidates whose cross-tables are known, unit by unit.

    The model is the one that `ecological.estimate` fits, so that what it assumes can be made right or wrong: by
    default everything is as assumed, and `context` alone decides how far voters are moved by their surroundings.

    Returns:
        A units Dataset with `truth` and `unit_truth`; attrs["parameters"]: what it was drawn with, as JSON.

    Raises:
        ElectionDataError: a number out of range.

    Example:
        >>> import electjax
        >>> units = electjax.ecological.simulate(contests=2, units=5, rows=3, parties=3)
        >>> dict(units["unit_truth"].sizes)
        {'unit': 10, 'row': 3, 'column': 3}
    """
    names = ("rows", "parties", "unit_sd", "pair_sd", "tau", "contests", "units", "fielded", "voters", "abstention")
    given = {name: getattr(options, name) for name in (*names, "traits", "affinity")} | {"level": options.levels}
    keys = jax.random.split(jax.random.key(options.seed))
    drawn = draw_units(keys[0], beta=options.context, rho=options.correlation, **given)
    rng = host_generator(keys[1])
    traits = list(CATEGORIES[: options.traits])
    axes = axes_of({AXIS: {"categories": traits, "kernel": "match"}}) if traits else ()
    draft = _drafted(drawn, rng, options.kind, axes, source=f"ecological.simulate, seed {options.seed}")
    found = finished(draft, name=options.name, merge_below=options.merge_below)
    parameters = {name: getattr(options, name) for name in ("context", "correlation", "kind", "seed")} | given
    parameters |= {"correlations": drawn.parameters.rho.tolist(), "pair_logit": drawn.parameters.pair.tolist()}
    return found.assign_attrs(
        parameters=json.dumps(parameters),
        note=f"These votes were generated, with a context exponent of {options.context:g}.",
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
