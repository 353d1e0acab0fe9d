"""What several modules of tests of files take."""

import pytest

from .samples import contents


@pytest.fixture(scope="session")
def samples() -> dict[str, bytes]:
    """The content of a valid file of every format."""
    return contents()
