"""What a reading of ballots is refused with."""

import pytest

from electjax import ElectionDataError, voter_types


def fault(path, **options):
    """The message of the error, which is one line."""
    with pytest.raises(ElectionDataError) as caught:
        voter_types.read(path, **options)
    assert "\n" not in str(caught.value)
    return str(caught.value)
