"""Print what pip is to install for an environment of this project, from pyproject.toml.

    requirements.py [--lowest] [GROUP ...]

The project itself (editable), then the dependency groups. With `--lowest`, the project's own dependencies, those of
the extras the groups name included, are pinned to their lower bounds; tools stay as they are.
"""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

_SELF = re.compile(r"ommi\[(?P<extras>[^\]]+)\]")
_BOUND = re.compile(r"(?P<name>[A-Za-z0-9._-]+)>=(?P<version>[0-9.]+)")


def group(declared: dict[str, Any], name: str) -> Iterator[str]:
    """The requirements of a dependency group, those of the groups it includes in its place."""
    for entry in declared["dependency-groups"][name]:
        if isinstance(entry, str):
            yield entry
        else:
            yield from group(declared, entry["include-group"])


def lowest(requirement: str) -> str:
    """The requirement, pinned to its lower bound."""
    bound = _BOUND.fullmatch(requirement)
    if bound is None:
        raise SystemExit(f"pyproject.toml: {requirement!r} must read name>=version, so that the version can be tested")
    return f"{bound['name']}=={bound['version']}"


def requirements(declared: dict[str, Any], groups: list[str], *, pinned: bool) -> Iterator[str]:
    """All lines of the requirements file."""
    project = declared["project"]
    yield "--editable ."
    own: list[str] = list(project["dependencies"])
    for requirement in (entry for name in groups for entry in group(declared, name)):
        if named := _SELF.fullmatch(requirement):
            own += [entry for extra in named["extras"].split(",") for entry in project["optional-dependencies"][extra]]
        else:
            yield requirement
    yield from map(lowest, own) if pinned else own


if __name__ == "__main__":
    arguments = sys.argv[1:]
    groups = [argument for argument in arguments if argument != "--lowest"]
    with Path("pyproject.toml").open("rb") as file:
        print("\n".join(requirements(tomllib.load(file), groups, pinned="--lowest" in arguments)))
