"""The suite that every driver passes is all of its parts."""

from collections import Counter

from ommi.testing import DriverSuite


def test_no_test_of_the_suite_hides_another_of_the_same_name() -> None:
    groups = [group for group in DriverSuite.__mro__ if group is not DriverSuite]
    names = Counter(name for group in groups for name in vars(group) if name.startswith("test_"))
    assert [name for name, times in names.items() if times > 1] == []
