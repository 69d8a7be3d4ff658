"""A small database with the layout of the public one on religion and politics in India; all its numbers are ours."""

import csv
import sqlite3
from pathlib import Path
from typing import Any

import numpy as np

Rows = list[dict[str, Any]]
PLACES, BOOTHS = (7, 8, 9), 12


def tables(seed: int = 0) -> dict[str, Rows]:
    """Three constituencies of twelve booths in 2012 and 2017, whose booths have other numbers, and a 2014 Lok Sabha.

    Muslims vote for a Muslim candidate more often; in constituency 9 the sp has none.
    """
    rng = np.random.default_rng(seed)
    found: dict[str, Rows] = {"upid": []}
    for year in (2012, 2017):
        end = f"_{year % 100}"
        rolls, results = [], []
        for place in PLACES:
            for number in range(1, BOOTHS + 1):
                electors = int(rng.integers(600, 1100))
                muslim = float(rng.uniform(2, 60))
                others = float(rng.uniform(0, 4))
                matched = {
                    "hindu": 100 - muslim - others,
                    "muslim": muslim,
                    "christian": others / 2,
                    "sikh": others / 2,
                }
                rolls.append(
                    {"id": len(rolls) + 1, "ac_id_09": place, f"booth_id{end}": number + (year == 2017)}
                    | {f"electors{end}": electors, f"missing_percent{end}": round(float(rng.uniform(1, 9)), 2)}
                    | {f"{name}_percent{end}": round(share, 2) for name, share in matched.items()}
                    | {f"jain_percent{end}": None, f"age_avg{end}": 39.5, f"age_stddev{end}": 15.25}
                    | {f"age_muslim_avg{end}": 37.1, f"female_percent{end}": 46.0, f"revision_percent_new{end}": 900}
                )
                turnout = int(electors * rng.uniform(0.5, 0.7))
                pull = muslim / 100 * (place != 9)
                shares = np.array([0.3 + 0.4 * pull, 0.3, 0.35 - 0.3 * pull, 0.02, 0.004])
                votes = np.floor(shares / shares.sum() * 0.99 * turnout).astype(int)
                results.append(
                    {"id": len(results) + 1, "ac_id_09": place, f"booth_id{end}": number + (year == 2017)}
                    | {f"electors{end}": electors, f"turnout{end}": turnout, f"turnout_percent{end}": 0.6}
                    | {f"male_votes{end}": None, f"votes_sp{end}": votes[0], f"votes_sp_percent{end}": 0.3}
                    | {f"votes_bsp{end}": votes[1], f"votes_bjp{end}": votes[2], f"votes_ind{end}": votes[3]}
                    | {f"votes_tiny{end}": votes[4] if place == 7 else None}
                )
        results.append(results[-1] | {"id": 999, f"booth_id{end}": "Total", f"turnout{end}": 99999})
        found |= {f"uprolls{year}": rolls, f"upvidhansabha{year}": results}
        found[f"upcandidates{year}"] = [
            {"id": place, "ac_id_09": place}
            | {f"candidate_sp_name{end}": "A", f"candidate_sp_religion{end}": "Muslim" if place != 9 else "Hindu"}
            | {f"candidate_sp_religion_certainty{end}": 3.5, f"candidate_bsp_religion{end}": "Unknown"}
            | {f"candidate_bsp_religion_certainty{end}": None, f"candidate_bjp_religion{end}": "Hindu"}
            | {f"candidate_bjp_religion_certainty{end}": 0.4 if place == 7 else 2.0}
            for place in PLACES
        ]
    found["upid"] = [
        {"ac_id_07": None, "pc_id_09": 1 if place < 9 else 2, "ac_id_09": place, "ac_name_12": f"Place {place}"}
        | {"booth_id_12": number, "booth_id_14": number, "booth_id_17": number + 1 if number > 2 else None}
        for place in PLACES
        for number in range(1, BOOTHS + 1)
    ]
    found["uploksabha2014"] = [
        {key.replace("_12", "_14"): value for key, value in row.items()} for row in found["upvidhansabha2012"]
    ]
    found["uprolls2014"] = [
        {key.replace("_12", "_14"): value for key, value in row.items()} for row in found["uprolls2012"]
    ]
    found["upcandidates2014"] = [
        {"pc_id_09": 1, "candidate_sp_religion_14": "Muslim", "candidate_bjp_religion_14": "Jain"},
        {"pc_id_09": 2, "candidate_sp_religion_14": "Hindu", "candidate_bjp_religion_14": None},
    ]
    return found


def as_sqlite(found: dict[str, Rows], path: Path) -> Path:
    """The tables as one file; columns have the types of the public one."""
    path.unlink(missing_ok=True)
    connection = sqlite3.connect(path)
    for name, rows in found.items():
        columns = list(rows[0])
        kinds = [
            "FLOAT" if "percent" in c or "avg" in c else "CHAR" if "religion_" in c else "INTEGER" for c in columns
        ]
        spelt = ", ".join(f'"{c}" {kind}' for c, kind in zip(columns, kinds, strict=True))
        connection.execute(f'CREATE TABLE "{name}" ({spelt})')
        cells = [[_plain(row[c]) for c in columns] for row in rows]
        connection.executemany(f'INSERT INTO "{name}" VALUES ({", ".join("?" * len(columns))})', cells)
    connection.commit()
    connection.close()
    return path


def as_csv(found: dict[str, Rows], folder: Path) -> Path:
    """The tables as a folder; results are in two parts, as large ones are."""
    folder.mkdir(exist_ok=True)
    for name, rows in found.items():
        half = len(rows) // 2
        parts = {f"{name}-a": rows[:half], f"{name}-b": rows[half:]} if "sabha" in name else {name: rows}
        for part, own in parts.items():
            with open(folder / f"{part}.csv", "w", newline="", encoding="utf-8") as file:
                writer = csv.DictWriter(file, list(rows[0]))
                writer.writeheader()
                writer.writerows(own)
    return folder


def _plain(value: Any) -> Any:
    return int(value) if isinstance(value, np.integer) else value
