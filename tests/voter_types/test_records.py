"""Cast-vote records in XML and in the common data format, written by hand: ballots, and faults in one line."""

import json
import zipfile

import pytest

from electjax import voter_types
from tests.voter_types.faults import fault

# ------------------------------------------------------------------------------------ Hart


def hart(contests, *, guid="", precinct="P 1", ns=' xmlns="http://tempuri.org/CVRDesign.xsd"'):
    """A ballot: contest -> (options marked, undervotes)."""
    parts = []
    for name, (marked, under) in contests.items():
        options = "".join(f"<Option><Name>{label}</Name><Value>1</Value></Option>" for label in marked)
        blank = "" if marked else "<IsBlank>true</IsBlank>"
        parts.append(
            f"<Contest><Name>{name}</Name><Options>{options}</Options>{blank}<Undervotes>{under}</Undervotes></Contest>"
        )
    return (
        f'<?xml version="1.0" encoding="utf-8"?><Cvr{ns}><Contests>{"".join(parts)}</Contests>'
        f"<BatchNumber>4</BatchNumber><PrecinctSplit><Name>{precinct}</Name></PrecinctSplit><CvrGuid>{guid}</CvrGuid></Cvr>"
    )


BALLOTS = {
    "b1.xml": hart({"Mayor": (["Ann (DEM)"], 0), "Council": (["X", "Y"], 0)}, guid="g1"),
    "b2.xml": hart({"Mayor": (["Bob (REP)"], 0), "Council": (["X"], 1), "Clerk": ([], 1)}, ns=""),
    "b3.xml": hart({"Mayor": (["Ann (DEM)", "Bob (REP)"], 0), "Clerk": (["Cy (REP)"], 0)}, precinct="P 2"),
    "b4.xml": hart({"Mayor": ([], 1), "Clerk": (["Write-in"], 0)}),
}


def put(folder, files):
    for name, found in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(found if isinstance(found, str) else json.dumps(found), encoding="utf-8")
    return folder


def test_hart(tmp_path):
    folder = put(tmp_path / "cvr", {f"batch {k % 2}/{name}": text for k, (name, text) in enumerate(BALLOTS.items())})
    ballots = voter_types.read(folder)
    assert ballots.attrs["reader"] == "Hart XML"
    assert ballots["office"].values.tolist() == ["Mayor", "Clerk"]
    assert ballots.attrs["left_out"] == "Council (vote for 2)"
    assert ballots.attrs["overvotes"] == 1
    found = dict(zip(ballots["voter"].values.tolist(), ballots["choice"].values.tolist(), strict=True))
    ann, bob = (ballots["option_label"].values[0].tolist().index(name) for name in ("Ann (DEM)", "Bob (REP)"))
    cy, other = (ballots["option_label"].values[1].tolist().index(name) for name in ("Cy (REP)", "Write-in"))
    assert found == {"g1": [ann, -1], "b2": [bob, 0], "b3": [0, cy], "b4": [0, other]}
    assert sorted(ballots["PrecinctPortion"].values.tolist()) == ["P 1", "P 1", "P 1", "P 2"]
    ticket = voter_types.recode(ballots, top="Mayor")  # parties come from the names
    assert ticket.attrs["dropped_voters"] == 2
    with zipfile.ZipFile(tmp_path / "cvr.zip", "w") as archive:
        for name, text in BALLOTS.items():
            archive.writestr(name, text)
    assert voter_types.read(tmp_path / "cvr.zip", where={"PrecinctPortion": "P 2"})["voter"].values.tolist() == ["b3"]
    assert voter_types.read(folder / "batch 0" / "b1.xml").sizes["voter"] == 1
    assert "header=2 means nothing for Hart's XML" in fault(folder, header=2)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (BALLOTS["b1.xml"][:200], "b1.xml: cannot be read"),
        ("", "b1.xml: cannot be read"),
        ("<html/>", "b1.xml: the root element is 'html'; expected Cvr"),
        ('<!DOCTYPE Cvr [<!ENTITY a "aaaa">]><Cvr>&a;</Cvr>', "b1.xml: it declares a document type"),
        (f"<!--{'x' * 70_000}--><!DOCTYPE Cvr><Cvr/>", "b1.xml: it declares a document type"),
        (f"<!--{'x' * 70_000}--><!DOCTYPE Cvr [<!ENTITY a 'b'>]><Cvr/>", "b1.xml: it declares a document type"),
        ('<?xml version="1.0" encoding="klingon"?><Cvr/>', "b1.xml: "),
        (BALLOTS["b1.xml"].replace("<Value>1<", "<Value>one<"), "b1.xml: Value is 'one'"),
        (BALLOTS["b1.xml"].replace("<Undervotes>0<", "<Undervotes>-1<"), "b1.xml: Undervotes is '-1'"),
        (BALLOTS["b1.xml"].replace("<Name>Mayor</Name>", ""), "b1.xml: a contest without Name"),
        (BALLOTS["b1.xml"].replace("Council", "Mayor"), "column 'Mayor': ballot 2 has it twice"),
        ("<Cvr>" + "<a>" * 100_000, "b1.xml: cannot be read"),
    ],
)
def test_faults_of_hart(tmp_path, text, said):
    folder = put(tmp_path / "cvr", {"a.xml": BALLOTS["b2.xml"], "b1.xml": text})
    assert said in fault(folder)


def test_ballots_without_contests(tmp_path):
    assert "no contest with one vote" in fault(put(tmp_path / "cvr", {"a.xml": "<Cvr/>"}))


# ------------------------------------------------------------------------------------ NIST 1500-103


def position(votes=1, **more):
    return {"@type": "CVR.SelectionPosition", "HasIndication": "yes", "NumberVotes": votes, **more}


def voted(contest, *selections, over=0):
    made = [{"ContestSelectionId": name, "SelectionPosition": [where]} for name, where in selections]
    return {"@type": "CVR.CVRContest", "ContestId": contest, "CVRContestSelection": made, "Overvotes": over}


def cvr(*contests, number="", style="A", others=()):
    snapshots = [*others, {"@id": "now", "Type": "interpreted", "CVRContest": list(contests)}]
    made = {"CurrentSnapshotId": "now", "CVRSnapshot": snapshots, "BallotStyleId": style, "BallotStyleUnitId": "u1"}
    return made | ({"UniqueId": number} if number else {})


def contest(name, options, **more):
    made = [{"@id": key, "@type": "CVR.CandidateSelection", **said} for key, said in options.items()]
    return {"@id": f"c-{name}", "@type": "CVR.CandidateContest", "Name": name, "ContestSelection": made, **more}


OLD = {"@id": "old", "Type": "original", "CVRContest": [voted("c-Mayor", ("m2", position()))]}
REPORT = {
    "@type": "CVR.CastVoteRecordReport",
    "Version": "1.0.0",
    "Party": [{"@id": "p1", "Name": "Democratic", "Abbreviation": "DEM"}, {"@id": "p2", "Name": "REP"}],
    "GpUnit": [{"@id": "u1", "Name": "North", "Type": "precinct"}],
    "Election": [
        {
            "@id": "e",
            "Candidate": [
                {"@id": "ann", "Name": "Ann", "PartyId": "p1"},
                {"@id": "abe", "Name": "Abe"},
                {"@id": "bob", "Name": "Bob", "PartyId": "p2"},
            ],
            "Contest": [
                contest(
                    "Mayor",
                    {
                        "m1": {"CandidateIds": ["ann", "abe"]},
                        "m2": {"CandidateIds": ["bob"]},
                        "m3": {"IsWriteIn": True},
                    },
                    VotesAllowed=1,
                ),
                contest("Council", {"k1": {}, "k2": {}}, VotesAllowed=2),
                contest(
                    "Ranked", {"r1": {"CandidateIds": ["bob"]}, "r2": {"CandidateIds": ["abe"]}}, VoteVariation="rcv"
                ),
                contest("Measure", {"yes": {"Selection": "Yes"}, "no": {"Selection": "No"}}),
            ],
        }
    ],
    "CVR": [
        cvr(voted("c-Mayor", ("m1", position())), voted("c-Measure", ("no", position())), number="v1", others=[OLD]),
        cvr(voted("c-Mayor", ("m1", position()), ("m2", position())), voted("c-Council", ("k1", position()))),
        cvr(voted("c-Mayor", ("m2", position(0))), voted("c-Measure", ("yes", position(HasIndication="no")))),
        cvr(
            voted("c-Mayor", ("m3", position())), voted("c-Ranked", ("r1", position(Rank=2)), ("r2", position(Rank=1)))
        ),
        cvr(voted("c-Mayor", over=1), style="B"),
    ],
}
CHOICES = [[1, -1, 2], [0, -1, -1], [0, -1, 0], [3, 2, -1], [0, -1, -1]]


def changed(change):
    report = json.loads(json.dumps(REPORT))
    change(report)
    return report


def as_xml(name, found):
    """The JSON of a report as its XML."""
    if isinstance(found, list):
        return "".join(as_xml(name, each) for each in found)
    if not isinstance(found, dict):
        return f"<{name}>{str(found).lower() if isinstance(found, bool) else found}</{name}>"
    inner = "".join(
        f"<{key}>{' '.join(value)}</{key}>" if key.endswith("Ids") else as_xml(key, value)
        for key, value in found.items()
        if not key.startswith("@")
    )
    told = f' ObjectId="{found["@id"]}"' if "@id" in found else ""
    return f"<{name}{told}>{inner}</{name}>"


def test_nist_in_json_and_xml(tmp_path):
    put(tmp_path, {"report.json": REPORT})
    ns = '<CastVoteRecordReport xmlns="http://itl.nist.gov/ns/voting/1500-103/v1">'
    put(tmp_path, {"report.xml": as_xml("CastVoteRecordReport", REPORT).replace("<CastVoteRecordReport>", ns)})
    for name in ("report.json", "report.xml"):
        ballots = voter_types.read(tmp_path / name)
        assert ballots.attrs["reader"] == "NIST 1500-103"
        assert ballots["office"].values.tolist() == ["Mayor", "Ranked", "Measure"]
        assert ballots["choice"].values.tolist() == CHOICES
        assert ballots["voter"].values.tolist() == ["v1", "2", "3", "4", "5"]
        assert ballots["BallotType"].values.tolist() == ["A", "A", "A", "A", "B"]
        assert ballots["PrecinctPortion"].values.tolist() == ["North"] * 5
        assert ballots["option_label"].values[0].tolist() == ["no vote", "Ann / Abe", "Bob", "write-in"]
        assert ballots["option_label"].values[2].tolist()[:3] == ["no vote", "Yes", "No"]
        assert ballots["option_party"].values[0].tolist() == ["", "DEM", "REP", ""]
        assert ballots.attrs["overvotes"] == 2
        assert ballots.attrs["left_out"] == "Council (vote for 2)"
        assert ballots["row"].values.tolist() == [1, 2, 3, 4, 5]


def test_reports_in_a_zip(tmp_path):
    second = changed(lambda report: report.update(CVR=report["CVR"][:1]))
    with zipfile.ZipFile(tmp_path / "all.zip", "w") as archive:
        archive.writestr("a/1.json", json.dumps(REPORT))
        archive.writestr("a/2.json", json.dumps(second))
    ballots = voter_types.read(tmp_path / "all.zip", where={"BallotType": "A"}, offices=["Mayor"])
    assert ballots["choice"].values.ravel().tolist() == [1, 0, 0, 3, 1]
    other = changed(lambda report: report["Election"][0]["Contest"][0].update(Name="Sheriff"))
    put(tmp_path / "two", {"1.json": REPORT, "2.json": other})
    assert "2.json: contest 'c-Mayor' differs from that of another report" in fault(tmp_path / "two")


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (lambda r: r.pop("Election"), "r.json, $: Object missing required field `Election`; expected"),
        (lambda r: r["CVR"].__setitem__(1, None), "r.json, $.CVR[1]: found null; expected object"),
        (lambda r: r["CVR"][0].update(CurrentSnapshotId="x"), "r.json, CVR[0]: no snapshot 'x'"),
        (
            lambda r: r["CVR"][2]["CVRSnapshot"][0]["CVRContest"][0].update(ContestId="q"),
            "CVR[2]: a vote for contest 'q'",
        ),
        (
            lambda r: r["CVR"][0]["CVRSnapshot"][1]["CVRContest"][0]["CVRContestSelection"][0].update(
                ContestSelectionId="q"
            ),
            "CVR[0]: a vote for selection 'q' of contest 'c-Mayor'",
        ),
        (
            lambda r: r["CVR"][0]["CVRSnapshot"][1]["CVRContest"][0]["CVRContestSelection"][0]["SelectionPosition"][
                0
            ].update(NumberVotes="1"),
            "$.CVR[0].CVRSnapshot[1].CVRContest[0].CVRContestSelection[0].SelectionPosition[0].NumberVotes: found str",
        ),
        (lambda r: r.update(CVR=[]), "no ballots"),
    ],
)
def test_faults_of_nist(tmp_path, change, said):
    put(tmp_path, {"r.json": changed(change)})
    assert said in fault(tmp_path / "r.json")


@pytest.mark.parametrize("text", ["[1, 2]", '{"a": {}}', "3", "", "{", "null", '"' + "a" * 100, "[" * 100_000])
def test_json_of_another_kind(tmp_path, text):
    assert "r.json" in fault(put(tmp_path, {"r.json": text}) / "r.json")


@pytest.mark.parametrize(
    "text",
    [
        "<a/>",
        "",
        "<CastVoteRecordReport/>",
        "<CastVoteRecordReport><CVR/></CastVoteRecordReport>",
        "<CastVoteRecordReport><Election>" + "<a>" * 50_000 + "</a>" * 50_000 + "</Election></CastVoteRecordReport>",
        '<!DOCTYPE a [<!ENTITY b "c">]><CastVoteRecordReport/>',
    ],
)
def test_xml_of_another_kind(tmp_path, text):
    assert "r.xml" in fault(put(tmp_path, {"r.xml": text}) / "r.xml")
