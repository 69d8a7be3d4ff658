"""What files call the columns that every wing knows: our name, and the names that people bring for it.

Case, accents, spaces and punctuation do not matter (`table.fold`): "Votes obtained" is votes_obtained. A bilingual name
such as "Party/Parti" is found by its first half.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from electjax.data.table import Table, fold

WORDS: dict[str, tuple[str, ...]] = {
    "district": (
        *("district", "constituency", "district_name", "constituency_name", "ac_name", "pc_name", "seat", "seat_name"),
        *("riding", "electoral_district", "electoral_district_name", "electorate_name", "division", "division_name"),
        *("ward", "ward_name", "wahlkreis", "wahlkreisname", "circonscription", "circunscripcion", "collegio"),
    ),
    "district_no": (
        *("district_no", "constituency_no", "district_number", "constituency_number", "ac_no", "pc_no", "ac_id"),
        *("electoral_district_number", "wahlkreisnr", "wahlkreisnummer", "ons_id", "seat_no"),
    ),
    "party": (
        *("party", "party_name", "political_party", "political_affiliation", "party_abbreviation", "party_id"),
        *("partei", "gruppenname", "parti", "partido", "partito", "affiliation"),
    ),
    "candidate": (
        "candidate",
        "candidate_name",
        "candidates",
        "name_of_candidate",
        "kandidat",
        "candidat",
        "candidato",
    ),
    "votes": (
        *("votes", "candidatevotes", "candidate_votes", "votes_obtained", "vote", "vote_count", "votes_polled"),
        *("total_votes_polled", "votes_secured", "votes_received", "stimmen", "anzahl", "voix", "votos", "voti"),
    ),
    "electors": (
        *("electors", "registered_voters", "registered", "registered_electors", "total_electors", "electorate"),
        *("eligible_voters", "wahlberechtigte", "electeurs_inscrits", "number_of_electors"),
    ),
    "winner": ("winner", "elected", "winning_party", "elected_party"),
    "magnitude": (
        *("magnitude", "district_magnitude", "seats", "seats_to_fill", "number_of_seats", "no_of_seats", "num_seats"),
        *("seats_available", "mandate", "mandates", "sitze", "escanos", "sieges"),
    ),
    "county": ("county", "county_name", "jurisdiction", "jurisdiction_name"),
    "precinct": (
        "precinct",
        "precinct_name",
        "polling_unit",
        "polling_place",
        "polling_station",
        "booth",
        "booth_name",
    ),
    "contest": ("contest", "contest_name", "office", "race"),
    "unit": (
        *("unit", "booth", "precinct", "polling_unit", "polling_place", "polling_station", "ballot_box"),
        *("unit_name", "booth_name", "precinct_name"),
    ),
    "booth": ("booth", "booth_id", "booth_no", "polling_station", "polling_station_no", "part_no", "precinct"),
    "constituency": ("constituency", "constituency_name", "ac_name", "ac_no", "ac_id", "pc_name", "district", "seat"),
    "polled": ("polled", "votes_polled", "total_votes_polled", "ballots_cast"),
    "unit_name": ("unit_name", "booth_name", "precinct_name", "polling_place_name", "polling_station_name"),
    "voter": (
        "voter",
        "voter_id",
        "cvr_id",
        "cvrnumber",
        "cast_vote_record",
        "ballotid",
        "ballot_id",
        "rownumber",
        "id",
    ),
    "weight": ("weight", "weights", "count", "frequency", "freq", "wt", "wgt", "survey_weight", "sample_weight"),
    "total": ("total", "total_votes", "totalvotes", "turnout_total", "voters", "total_voters", "valid_votes"),
}


@dataclass(frozen=True)
class Found:
    """Which columns of a table are which: positions by our name, and sentences on what is called otherwise."""

    places: dict[str, int]
    notes: tuple[str, ...]

    def __getitem__(self, name: str) -> int:
        return self.places[name]

    def __contains__(self, name: str) -> bool:
        return name in self.places

    def get(self, name: str) -> int | None:
        """The position of a column; None where the table lacks it."""
        return self.places.get(name)


def find_columns(table: Table, needed: Sequence[str], optional: Iterable[str] = ()) -> Found:
    """The columns of a table by our names, each column once.

    Raises:
        ElectionDataError: a needed column that is not there, or twice.
    """
    places: dict[str, int] = {}
    for name in (*needed, *optional):
        position = find_word(table, name, taken=places.values())
        if position is not None:
            if f"{table.names[position]} (2)" in table.names:
                table.need(table.names[position])
            places[name] = position
        elif name in needed:
            table.need(*words_of(name), what=f"for the {name}")
    said = [
        f"column {table.names[p]!r} is the {name}" for name, p in places.items() if fold(table.names[p]) != fold(name)
    ]
    return Found(places, tuple(said))


def words_of(name: str) -> tuple[str, ...]:
    """What files call a column of ours; its own name comes first."""
    return tuple(dict.fromkeys((name, *WORDS.get(name, ()))))


def find_word(table: Table, name: str, *, taken: Iterable[int] = ()) -> int | None:
    """Position of the column that is called so, or otherwise; None where the table has none but those taken."""
    used = set(taken)
    halves = {fold(spelt.split("/")[0]): p for p, spelt in reversed(list(enumerate(table.names))) if "/" in spelt}
    for word in words_of(name):
        position = table.find(word)
        position = halves.get(fold(word)) if position is None else position
        if position is not None and position not in used:
            return position
    return None


def ignored(table: Table, used: Iterable[int]) -> tuple[str, ...]:
    """A sentence on the columns that no one asked for; none where there are none."""
    known = set(used)
    left = [name for p, name in enumerate(table.names) if p not in known]
    more = f" and {len(left) - 12} more" if len(left) > 12 else ""
    return (f"columns not used: {', '.join(left[:12])}{more}",) if left else ()
