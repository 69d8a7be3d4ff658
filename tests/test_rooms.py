"""The rules of the house: which room may know which, how long a file may be, what a path through the package loads."""

import ast
import subprocess
import sys
from functools import cache
from pathlib import Path

import pytest

import electjax

PACKAGE = Path(__file__).parents[1] / "electjax"
WINGS = ("districts", "voter_types", "calm", "ecological")
ARRAYS = (
    "numerics",
    "districts.kernels",
    "districts.models",
    "districts.abc",
    "voter_types.em",
    "calm.model",
    "ecological.model",
)
LABELS = {"xarray", "pandas", "hydra", "omegaconf", "matplotlib", "h5netcdf", "rich", "jinja2"}
ARRAYS_KNOW = {"jax", "jaxlib", "numpy", "scipy", "optax", "blackjax", "jaxtyping"}
ARRAYS_KNOW_PARTS = {"arviz_stats.base"}  # its layer of arrays
MOST_LINES = 400
MOST_IN_ALL = 54_000  # to be lowered with every room that gets tidier


@cache
def sources() -> dict[str, tuple[Path, ast.Module]]:
    """Every module of the package: its file and its syntax tree."""
    found = {}
    for path in sorted(PACKAGE.rglob("*.py")):
        name = ".".join(path.relative_to(PACKAGE.parent).with_suffix("").parts).removesuffix(".__init__")
        found[name] = path, ast.parse(path.read_text("utf-8"))
    return found


def imported(tree: ast.Module) -> set[str]:
    """All that a module imports, at its top or in a function."""
    names = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            names |= {
                inner if (inner := f"{node.module}.{alias.name}") in sources() else node.module for alias in node.names
            }
    return names


def room(module: str) -> str:
    """The wing or floor of a module: "calm" of electjax.calm.verbs.fit."""
    return [*module.split("."), ""][1]


def inside(module: str, package: str) -> bool:
    return module == f"electjax.{package}" or module.startswith(f"electjax.{package}.")


def test_a_file_is_short():
    lines = {name: len(path.read_text("utf-8").splitlines()) for name, (path, _) in sources().items()}
    assert {name: number for name, number in lines.items() if number > MOST_LINES} == {}
    assert sum(lines.values()) <= MOST_IN_ALL


def test_wings_do_not_import_each_other_nor_the_command_line():
    crossed = [
        f"{name} -> {other}"
        for name, (_, tree) in sources().items()
        for other in imported(tree)
        if room(name) in WINGS and room(other) in {*WINGS, "run", "bridges"} - {room(name)}
    ]
    assert crossed == []


def test_floors_import_no_wing():
    upwards = [
        f"{name} -> {other}"
        for name, (_, tree) in sources().items()
        for other in imported(tree)
        if room(name) in ("data", "numerics", "report") and room(other) in (*WINGS, "run", "bridges")
    ]
    assert upwards == []


def test_the_arrays_rooms_know_arrays_alone():
    wrong = []
    for name, (_, tree) in sources().items():
        if not any(inside(name, arrays) for arrays in ARRAYS):
            continue
        for other in imported(tree):
            top = other.split(".")[0]
            if top == "electjax":
                good = any(inside(other, a) for a in ARRAYS if a == "numerics" or a.split(".")[0] == room(name))
            else:
                good = top in ARRAYS_KNOW or other in ARRAYS_KNOW_PARTS or top in sys.stdlib_module_names
            if not good:
                wrong.append(f"{name} -> {other}")
    assert wrong == []


def test_the_arrays_rooms_load_no_labels_in_a_fresh_process():
    modules = [name for name in sources() if any(inside(name, arrays) for arrays in ARRAYS)]
    assert len(modules) > 40
    code = f"import importlib, sys\nfor name in {modules}: importlib.import_module(name)\nprint(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert {name.split(".")[0] for name in loaded} & LABELS == set()


def test_imports_run_in_no_circle():
    graph = {name: imported(tree) & set(sources()) - {name} for name, (_, tree) in sources().items()}
    done: set[str] = set()

    def visit(name: str, path: tuple[str, ...]) -> None:
        assert name not in path, " -> ".join([*path[path.index(name) :], name])
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*path, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def test_every_wing_has_the_same_rooms():
    for wing in WINGS:
        for part in ("__init__.py", "__init__.pyi", "schema.py", "options.py", "task.py", "verbs", "report"):
            assert (PACKAGE / wing / part).exists(), f"{wing}/{part}"
        for part in ("tests", "experiments", "benchmarks"):
            assert (PACKAGE.parent / part / wing).is_dir(), f"{part}/{wing}"


def loaded_by(code: str, folder: Path) -> set[str]:
    """The modules of the package that a fresh process has loaded after this code; those without code do not count."""
    code = f"import warnings\nwarnings.simplefilter('ignore')\nimport electjax\n{code}\nimport sys\nprint(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, check=False)
    assert done.returncode == 0, done.stderr
    names = set(done.stdout.splitlines()[-1].split()) & set(sources())
    kinds = (ast.FunctionDef, ast.ClassDef)
    return {name for name in names if any(isinstance(node, kinds) for node in ast.walk(sources()[name][1]))}


def without_formats(loaded: set[str], used: str) -> set[str]:
    """Without the readers of other formats than the one used, and what only they import."""
    importers = {name: {other for other in loaded if name in imported(sources()[other][1])} for name in loaded}
    text = {name: sources()[name][0].read_text("utf-8") for name in loaded}
    left = {name for name in loaded if "\nREADERS = " in text[name] and not name.endswith(used)}
    while more := {name for name in loaded - left if importers[name] and importers[name] <= left}:
        left |= more
    return loaded - left


@pytest.mark.ci
def test_a_path_through_the_package_is_short(tmp_path):
    """From a file to a fit and its report, what is loaded is what a newcomer has to read."""
    electjax.calm.write(electjax.calm.simulate("tiny"), tmp_path / "booths")
    ballots = electjax.voter_types.yuma_like(voters=60)
    choice = ballots["choice"].isel(office=slice(0, 3))
    choice.to_pandas().add_prefix("office ").rename_axis("voter").to_csv(tmp_path / "ballots.csv")
    fitted = loaded_by(
        "from electjax.calm.report import page\nfit = electjax.calm.fit(electjax.calm.read('booths'))", tmp_path
    )
    assert len(fitted) <= 65, sorted(fitted)  # the aim is 55
    fitted = loaded_by(
        "from electjax.voter_types.report import page\n"
        "fit = electjax.voter_types.fit(electjax.voter_types.read('ballots.csv'), types=2, restarts=2)",
        tmp_path,
    )
    fitted = without_formats(fitted, "readers.wide")
    assert len(fitted) <= 56, sorted(fitted)  # the aim is 40
