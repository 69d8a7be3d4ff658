"""Compiled programs in files: where they are kept, when they are not, and what damage does."""

import os
import subprocess
import sys
from hashlib import blake2b
from pathlib import Path

import pytest

import electjax

PROGRAM = """
import sys, warnings
warnings.simplefilter("error")
import electjax
assert not {"jax", "numpy", "xarray", "pandas"} & set(sys.modules)
"""
USE = """
import jax, jax.numpy as jnp
jax.config.update("jax_persistent_cache_min_compile_time_secs", 0)
from electjax.data.programs import start_cache
start_cache()
print(jax.config.jax_compilation_cache_dir)
hits = []
jax.monitoring.register_event_listener(lambda name, **_: hits.append(name))
x = jnp.eye(3)
print(float(sum(jax.jit(f)(x)[0, 0] for f in (lambda x: jnp.sin(x) @ x, lambda x: x * 3, lambda x: x - 1))))
print("compilation_cache/cache_hits" in " ".join(hits))
"""


def python(code: str, folder: Path, **environment: str) -> list[str]:
    """Lines that a fresh process prints."""
    known = {key: value for key, value in os.environ.items() if key not in ("ELECTJAX_CACHE", "XLA_FLAGS")}
    known |= {"XDG_CACHE_HOME": str(folder / "user"), "PYTHONPATH": str(Path(electjax.__file__).parents[1])}
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, cwd=folder, env=known | environment, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def entries(folder: Path) -> list[Path]:
    return sorted(folder.glob("*-sealed"))


def test_a_second_process_uses_what_the_first_compiled_and_damaged_entries_are_replaced(tmp_path):
    kept = tmp_path / "user" / "electjax" / "jax"
    first = python(PROGRAM + USE, tmp_path)
    if sys.platform.startswith("linux"):
        assert first[0] == str(kept)
    assert first[2] == "False"
    assert python(PROGRAM + USE, tmp_path)[1:] == [first[1], "True"]
    whole = {path: path.read_bytes() for path in entries(kept)}
    ways = (lambda b: b[: len(b) // 2], lambda b: b"", lambda b: b[:40] + bytes([b[40] ^ 8]) + b[41:])
    assert len(whole) >= len(ways)
    for number, (path, content) in enumerate(whole.items()):
        path.write_bytes(ways[number % len(ways)](content))
    assert python(PROGRAM + USE, tmp_path)[1:] == [first[1], "False"]  # no warning: those are errors there
    assert set(kept.iterdir()) == set(whole)
    for path in whole:
        content = path.read_bytes()
        assert blake2b(content[:-16], digest_size=16).digest() == content[-16:]


def test_two_processes_at_once_and_a_folder_that_cannot_be_written(tmp_path):
    known = os.environ | {"ELECTJAX_CACHE": str(tmp_path / "kept"), "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    command = [sys.executable, "-c", PROGRAM + USE]
    both = [subprocess.Popen(command, env=known, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    said = [process.communicate()[0].splitlines()[1] for process in both]
    assert said[0] == said[1]
    assert all(process.returncode == 0 for process in both)
    assert entries(tmp_path / "kept")
    (tmp_path / "file").write_text("no folder")
    assert python(PROGRAM + USE, tmp_path, ELECTJAX_CACHE=str(tmp_path / "file"))[0] == "None"


@pytest.mark.parametrize(
    ("setting", "expected"),
    [
        ({"ELECTJAX_CACHE": "off"}, "None"),
        ({"JAX_COMPILATION_CACHE_DIR": "/mine"}, "/mine"),
        ({"ELECTJAX_CACHE": "kept"}, "kept"),
    ],
)
def test_what_the_user_chose_stays(tmp_path, setting, expected):
    code = "import jax\nfrom electjax.data.programs import start_cache\nstart_cache()\n"
    found = python(code + "print(jax.config.jax_compilation_cache_dir)", tmp_path, **setting)[0]
    assert found == (str(tmp_path / expected) if expected == "kept" else expected)


def test_a_verb_begins_and_a_call_decides(tmp_path):
    shown = "print(jax.config.jax_compilation_cache_dir, jax.config.jax_enable_compilation_cache)\n"
    verb = "electjax.voter_types.yuma_like(voters=20)\n"
    code = f"import electjax, jax\nbefore = jax.config.jax_enable_x64\n{verb}{shown}"
    code += f"assert jax.config.jax_enable_x64 == before\nelectjax.cache(None)\n{verb}{shown}"
    begun, ended = python(code + f"electjax.cache('mine')\n{verb}", tmp_path)[:2]
    assert begun.endswith("jax True")
    assert ended == "None False"
    code = f"import electjax, jax\nelectjax.cache('mine')\n{verb}{shown}"
    assert python(code, tmp_path) == [f"{tmp_path / 'mine'} True"]
