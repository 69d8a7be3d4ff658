"""Labelled elections: Datasets with named districts and parties, their catalogue and their readers."""

from electjax.labelled.catalogue import describe_elections, list_elections, load_election
from electjax.labelled.readers import READERS, read_returns
from electjax.labelled.schema import (
    OTHERS,
    ElectionDataError,
    ElectionDataWarning,
    award_seats,
    election_dataset,
    pool_parties,
    save_election,
    seat_index,
    summary_election,
    validate_election,
    winning_margin,
)

__all__ = [
    "OTHERS",
    "READERS",
    "ElectionDataError",
    "ElectionDataWarning",
    "award_seats",
    "describe_elections",
    "election_dataset",
    "list_elections",
    "load_election",
    "pool_parties",
    "read_returns",
    "save_election",
    "seat_index",
    "summary_election",
    "validate_election",
    "winning_margin",
]
