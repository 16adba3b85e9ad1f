"""Before anything of the tests is imported."""

import pytest

pytest.register_assert_rewrite("tests")  # what is asserted beside the tests tells what it found, too
