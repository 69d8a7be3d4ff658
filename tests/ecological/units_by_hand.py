"""Small tables of units, and the tables that were counted."""

from pathlib import Path

import pandas as pd

# Two contests. In North, Tiny and Small have 1 and 2 of 100 votes; in South nobody votes for Blue; unit s2 is empty.
NORTH = {"Red": (40, 20), "Blue": (17, 20), "Tiny": (1, 0), "Small": (2, 0)}
NORTH_COLUMNS = {"Ann (Red)": (35, 20), "Bob (Blue (Old))": (25, 18), "Cy": (0, 2)}
SOUTH = {"Red": (5, 0), "Blue": (0, 0), "Green": (4, 0)}
SOUTH_COLUMNS = {"Dee (Green)": (3, 0), "Eve (Red)": (6, 0)}
TRUTH = """contest,party,candidate,votes
South,Red,Dee (Green),1
South,Red,Eve (Red),4
South,Blue,Dee (Green),0
South,Blue,Eve (Red),0
South,Green,Dee (Green),2
South,Green,Eve (Red),2
North,Red Party,Ann,50
North,Red Party,Bob,10
North,Red Party,Cy,0
North,Blue Party,Ann,4
North,Blue Party,Bob,32
North,Blue Party,Cy,1
North,Tiny,Ann,0
North,Tiny,Bob,1
North,Tiny,Cy,0
North,Small,Ann,1
North,Small,Bob,0
North,Small,Cy,1
"""


def long_frame() -> pd.DataFrame:
    records = [
        (contest, unit, side, option, votes)
        for contest, sides, units in (
            ("North", (("party", NORTH), ("candidate", NORTH_COLUMNS)), ("n1", "n2")),
            ("South", (("party", SOUTH), ("candidate", SOUTH_COLUMNS)), ("s1", "s2")),
        )
        for side, options in sides
        for option, counts in options.items()
        for unit, votes in zip(units, counts, strict=True)
    ]
    return pd.DataFrame(records, columns=["contest", "unit", "side", "option", "votes"])


WIDE = pd.DataFrame(
    {
        "precinct": ["a", "b", "a"],
        "old": [30, 10, 5],
        "young": [20, 40, 5],
        "dem": [25, 20, 4],
        "rep": [25, 30, 6],
        "od": [10, 5, 2],
        "or": [20, 5, 3],
        "yd": [15, 15, 2],
        "yr": [5, 25, 3],
    }
)
CELLS = {("old", "dem"): "od", ("old", "rep"): "or", ("young", "dem"): "yd", ("young", "rep"): "yr"}
SIDES = {"rows": ["old", "young"], "columns": ["dem", "rep"]}


def written(path: Path, text: str) -> Path:
    path.write_text(text, encoding="utf-8")
    return path
