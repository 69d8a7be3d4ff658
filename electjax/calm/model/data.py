"""What CALM computes with: booths, and what the booths of a constituency share.

Sizes: I booths, A constituencies, C cells, K parties, D axes, F cell features, Q booth covariates, L categories of the
axis with most, Z features of a candidate.
"""

from typing import Any, NamedTuple

from jaxtyping import Bool, Float, Int

Tensor = Any  # an array of numpy, as it comes, or of jax, as it is computed with


class Booths(NamedTuple):
    """One row per booth. A row of weight 0 (padding, held out) counts nowhere; a cell that a booth lacks has size 0.

    Attributes:
        sizes: n_ic, electors of each cell.
        polled: T_i, votes polled.
        votes: V_ik, votes of each party; they add up to the votes polled, and are 0 where a party has no candidate.
        constituency: index of the booth's constituency.
        covariates: features of the booth, centred; they enter both heads beside the cell's.
        previous: shares of the parties at the previous election, 0 where unknown.
        weight: how often the booth counts.
    """

    sizes: Float[Tensor, "i c"]
    polled: Float[Tensor, " i"]
    votes: Float[Tensor, "i k"]
    constituency: Int[Tensor, " i"]
    covariates: Float[Tensor, "i q"]
    previous: Float[Tensor, "i k"]
    weight: Float[Tensor, " i"]


class Frame(NamedTuple):
    """What is known of cells, candidates and axes.

    Attributes:
        features: x_c, features of a cell (one-hot blocks of its axes, coded as the labelled layer chose).
        cell_codes: category of a cell on an axis; -1 not applicable (or a scalar axis).
        candidate_codes: category of a constituency's candidate of a party; -1 unknown, not applicable or scalar axis.
        candidate_values: value of the candidate on a scalar axis; 0 elsewhere and where unknown.
        scalar: whether the axis is scalar, so that its kernel is the candidate's value.
        fixed, band: the proximity matrix of an axis is fixed + rho * band (calm.md section 2: A(rho_A)).
        cell_gate, candidate_gate: whether an axis applies to a cell, to a candidate (nested axes).
        fielded: whether a party has a candidate in a constituency.
        presence: number of training booths of a constituency that have the cell.
        electors: electors of the cell over the training booths of a constituency.
    """

    features: Float[Tensor, "c f"]
    cell_codes: Int[Tensor, "c d"]
    candidate_codes: Int[Tensor, "a k d"]
    candidate_values: Float[Tensor, "a k d"]
    scalar: Bool[Tensor, " d"]
    fixed: Float[Tensor, "d l l"]
    band: Float[Tensor, "d l l"]
    cell_gate: Bool[Tensor, "c d"]
    candidate_gate: Bool[Tensor, "a k d"]
    fielded: Bool[Tensor, "a k"]
    presence: Float[Tensor, "a c"]
    electors: Float[Tensor, "a c"]
