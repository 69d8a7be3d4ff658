"""Reference data beside the repository."""

from pathlib import Path

import pytest

_SHARED = Path(__file__).resolve().parents[2] / "shared"


def shared(path: str) -> Path:
    """The file or folder `../shared/<path>` beside the repository; the test is skipped where it is absent."""
    found = _SHARED / path
    if not found.exists():
        pytest.skip(f"reference data ../shared/{path} is not beside this repository")
    return found
