"""Checks the files beside it with three checkers, and that each finds what it must and nothing else.

    python typecheck/run.py            all three
    python typecheck/run.py pyright    one of them: plain, plugins (both: mypy), pyright

`everywhere/` and `planted/` are read by mypy without plugins, by mypy with those of Ommi, `returns` and pydantic, and
by pyright; `plugin/` by mypy with plugins. A comment `# WANT mypy[arg-type] pyright[reportArgumentType]` says which of
them must report an error in its line, and of which kind: `mypy` means both runs of it, `plain` and `plugins` one.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, TypeAlias

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent


class Place(NamedTuple):
    file: str
    line: int

    def __str__(self) -> str:
        return f"typecheck/{self.file}:{self.line}"


@dataclass(frozen=True, slots=True)
class Error:
    """One report of a checker."""

    place: Place
    code: str
    message: str


@dataclass(frozen=True, slots=True)
class Checker:
    """A way to check the files; `labels` are its names in the comments."""

    title: str
    labels: frozenset[str]
    folders: tuple[str, ...]
    command: tuple[str, ...]


Wanted: TypeAlias = Mapping[Place, str]
"""The code that must be reported in a line; the empty text for any."""

_MYPY = (sys.executable, "-m", "mypy", "--output", "json", "--no-error-summary")
CHECKERS = (
    Checker(
        "mypy without plugins",
        frozenset({"mypy", "plain"}),
        ("everywhere", "planted"),
        (*_MYPY, "--config-file", "mypy.ini", "--cache-dir", str(ROOT / ".cache/typecheck/plain")),
    ),
    Checker(
        "mypy with plugins",
        frozenset({"mypy", "plugins"}),
        ("everywhere", "planted", "plugin"),
        (*_MYPY, "--config-file", "mypy-plugins.ini", "--cache-dir", str(ROOT / ".cache/typecheck/plugins")),
    ),
    Checker(
        "pyright",
        frozenset({"pyright"}),
        ("everywhere", "planted"),
        (
            *(sys.executable, "-m", "pyright", "--pythonpath", sys.executable),
            *("--project", "pyrightconfig.json", "--outputjson"),
        ),
    ),
)


def main(labels: list[str]) -> int:
    """0 if every checker, or each of those with one of the labels, reports what it must and nothing else."""
    chosen = [checker for checker in CHECKERS if not labels or checker.labels & set(labels)]
    with ThreadPoolExecutor() as pool:
        complaints = [line for lines in pool.map(_check, chosen) for line in lines]
    for line in complaints:
        print(line)
    if complaints:
        print(f"{len(complaints)} differences between what the checkers report and what they should")
    return 1 if complaints else 0


def _check(checker: Checker) -> list[str]:
    files = [HERE / "models.py", *(file for folder in checker.folders for file in sorted((HERE / folder).glob("*.py")))]
    wanted = {place: code for file in files for place, code in _wanted(file, checker.labels)}
    assertions = sum(len(_ASSERTION.findall(file.read_text(encoding="utf-8"))) for file in files)
    complaints = [f"{checker.title}: {line}" for line in _differences(wanted, list(_errors(checker, files)))]
    if not complaints:
        print(f"{checker.title}: {assertions} types as promised, {len(wanted)} planted errors found")
    return complaints


_ASSERTION = re.compile(r"^\s*assert_type\(", re.MULTILINE)
_WANT = re.compile(r"#\s*WANT\s+(?P<labels>[^#:]+)")
_LABEL = re.compile(r"(?P<label>\w+)(?:\[(?P<code>[\w-]+)\])?")


def _wanted(file: Path, labels: frozenset[str]) -> Iterator[tuple[Place, str]]:
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), 1):
        said = _WANT.search(line)
        if said is not None:
            for one in _LABEL.finditer(said["labels"]):
                if one["label"] in labels:
                    yield Place(file.relative_to(HERE).as_posix(), number), one["code"] or ""


def _differences(wanted: Wanted, errors: list[Error]) -> Iterator[str]:
    found: defaultdict[Place, list[Error]] = defaultdict(list)
    for error in errors:
        found[error.place].append(error)
    for place, code in wanted.items():
        if place not in found:
            yield f"{place}: an error was planted here and not found"
        elif code and all(error.code != code for error in found[place]):
            codes = ", ".join(sorted({error.code for error in found[place]}))
            yield f"{place}: an error of the kind {code} was planted here; found was {codes}"
    for place in sorted(found.keys() - wanted.keys()):
        for error in found[place]:
            yield f"{place}: {error.message}  [{error.code}]"


def _errors(checker: Checker, files: Iterable[Path]) -> Iterator[Error]:
    environment = {
        **os.environ,
        "MYPYPATH": f"{ROOT}{os.pathsep}{HERE}",
        "PYTHONPATH": str(ROOT),
        "PYRIGHT_PYTHON_IGNORE_WARNINGS": "1",
    }
    is_mypy = "mypy" in checker.labels
    names = [str(file.relative_to(HERE)) for file in files] if is_mypy else []
    with tempfile.TemporaryFile("w+", encoding="utf-8") as output:
        ended = subprocess.run(
            [*checker.command, *names],
            check=False,
            cwd=HERE,
            env=environment,
            stdout=output,
            stderr=subprocess.PIPE,
            text=True,
        )
        output.seek(0)
        text = output.read()
    if ended.returncode not in (0, 1):
        raise SystemExit(f"{checker.title} could not run:\n{text}{ended.stderr}")
    yield from _of_mypy(text) if is_mypy else _of_pyright(text)


def _of_mypy(text: str) -> Iterator[Error]:
    for line in text.splitlines():
        said = json.loads(line)
        if said["severity"] == "error":
            place = Place(Path(said["file"]).as_posix(), said["line"])
            yield Error(place, said["code"] or "", said["message"])


def _of_pyright(text: str) -> Iterator[Error]:
    for said in json.loads(text)["generalDiagnostics"]:
        if said["severity"] == "error":
            file = Path(said["file"]).relative_to(HERE).as_posix()
            place = Place(file, said["range"]["start"]["line"] + 1)
            yield Error(place, said.get("rule", ""), said["message"])


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
