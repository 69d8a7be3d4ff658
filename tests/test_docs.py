"""The documentation is whole: every verb, key, schema and error is in it, no page is an orphan, links lead to files."""

import importlib
import re
import sys
from pathlib import Path

import pytest

import electjax

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
PAGES = sorted(page for page in DOCS.rglob("*.md") if "_build" not in page.parts)
WINGS = ("districts", "voter_types", "calm", "ecological")

sys.path.insert(0, str(DOCS / "_ext"))
figures, generated = importlib.import_module("figures"), importlib.import_module("generated")


def listed(page: Path) -> list[Path]:
    """The pages that the tables of contents of a page name."""
    blocks = re.findall(r"```\{toctree\}\n(.*?)```", page.read_text("utf-8"), flags=re.S)
    names = [line for block in blocks for line in block.splitlines() if line and not line.startswith(":")]
    return [(page.parent / f"{name}.md").resolve() for name in names]


@pytest.mark.parametrize("wing", WINGS)
def test_every_verb_is_documented_with_an_example(wing):
    page = generated.api_page(wing)
    for name in importlib.import_module(f"electjax.{wing}").__all__:
        assert f"## {name}\n" in page
        assert ":: electjax." + f"{wing}.{name}\n" in page
    assert "|  |" not in page.replace("|  | what it does |", "")  # no verb without a first sentence


def test_what_the_wings_share_is_documented():
    page, errors = generated.root_page(), generated.errors_page()
    for name in electjax.__all__:
        if name not in (*WINGS, "bridges"):
            assert f"## {name}\n" in (page if f"## {name}\n" in page else errors)
    assert "electjax.bridges.units_of_booths" in page


def test_every_key_of_the_configuration_is_documented():
    from dataclasses import fields

    from electjax.run.schemas import schemas

    page = generated.keys_page()
    for item in fields(schemas().config):
        assert re.search(rf"`{item.name}[`.]", page), item.name
    for group, members in schemas().groups.items():
        for name, schema in members.items():
            for item in fields(schema):
                assert f"| `{group}.{item.name}` |" in page, f"{group}.{name}.{item.name}"


def test_every_variable_and_error_is_documented():
    page = generated.datasets_page()
    for wing in WINGS:
        for schema in importlib.import_module(f"electjax.{wing}.store").schemas():
            assert f"### {schema.name}\n" in page
            for name in schema.variables:
                assert f"| `{name}` |" in page
    errors = [name for name in electjax.__all__ if generated.issubclass_of_exception(getattr(electjax, name))]
    assert errors == ["ElectionDataError", "ElectionDataWarning"]
    assert all(f"## {name}\n" in generated.errors_page() for name in errors)


def test_no_page_is_an_orphan():
    found, todo = set(), [DOCS / "index.md"]
    while todo:
        page = todo.pop()
        found.add(page)
        todo += [inner for inner in listed(page) if inner not in found and inner.exists()]
    written = {page for page in PAGES if not page.name.startswith("generated-")}
    assert written <= found
    missing = [inner for page in PAGES for inner in listed(page) if not inner.exists()]
    assert all(page.name.startswith("generated-") for page in missing)


@pytest.mark.parametrize("page", [ROOT / "README.md", *PAGES], ids=lambda page: page.stem)
def test_links_lead_to_files(page):
    if page.name.startswith("generated-"):
        return
    for target in re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", page.read_text("utf-8")):
        if not target.startswith(("http", "mailto:")):
            path = (page.parent / target).resolve()
            assert path.exists() or path.name.startswith("generated-"), f"{page.name}: {target}"


def test_the_readme_is_one_page_and_its_figures_are_those_of_the_results():
    text = (ROOT / "README.md").read_text("utf-8")
    assert len(text.splitlines()) <= 150
    _, _, rest = text.partition(figures.BEGIN + "\n")
    assert rest.partition(figures.END)[0].strip() == figures.table()


def test_commands_of_the_pages_compose():
    """Every command line of the pages has keys and groups that exist."""
    import shlex

    from hydra import compose, initialize_config_dir

    from electjax.run.config import conf_dir

    blocks = [
        block for page in PAGES for block in re.findall(r"```bash\n(.*?)```", page.read_text("utf-8"), flags=re.S)
    ]
    lines = [line for block in blocks for line in block.replace("\\\n", " ").splitlines() if "electjax.run " in line]
    with initialize_config_dir(str(conf_dir()), version_base="1.3"):
        for line in lines:
            words = [word for word in shlex.split(line.split("electjax.run ")[1]) if "=" in word]
            given = [re.sub(r"=([^\[{]*?),.*", r"=\1", word) for word in words if "range" not in word]
            given = [word for word in given if not word.startswith(("hydra", "resume=", "+sweep"))]
            compose("config", given)
    assert len(lines) > 10
