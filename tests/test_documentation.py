"""Every example that is shown is run: the Python blocks of README and docs, and the doctests of Ommi.

The blocks of a page run in order in one namespace, in a process of their own and an empty directory. `await` at the
top of a block is allowed, as at a prompt. A text block right after a Python block is what that block prints.
"""

import ast
import asyncio
import contextlib
import inspect
import io
import os
import re
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

with contextlib.suppress(ModuleNotFoundError):  # in the process of a page, which needs none of it
    from tests.servers.postgres import create_database

_ROOT = Path(__file__).resolve().parent.parent
_BLOCK = re.compile(
    r"^```python\n(?P<code>.*?)^```$(?:\n+^```text\n(?P<printed>.*?)^```$)?",
    re.DOTALL | re.MULTILINE,
)
_DOCTEST = """
import doctest, importlib, sys
failed, tried = doctest.testmod(importlib.import_module(sys.argv[1]), optionflags=doctest.ELLIPSIS)
sys.exit(failed or not tried)
"""


@dataclass(frozen=True)
class Block:
    """One example: its code, the line it begins on, and what it prints where the page says so."""

    code: str
    line: int
    printed: str | None


def blocks(page: str) -> list[Block]:
    return [
        Block(found["code"], page.count("\n", 0, found.start("code")), found["printed"])
        for found in _BLOCK.finditer(page)
    ]


def run_page(path: Path) -> None:
    """Run the blocks of a page in this process; the first that is wrong raises, with the line in the page."""
    namespace = vars(sys.modules["__main__"])
    with asyncio.Runner() as runner:
        for block in blocks(path.read_text(encoding="utf-8")):
            tree = ast.increment_lineno(ast.parse(block.code), block.line)
            code = compile(tree, str(path), "exec", ast.PyCF_ALLOW_TOP_LEVEL_AWAIT, dont_inherit=True)
            printed = io.StringIO()
            with contextlib.redirect_stdout(printed):
                if code.co_flags & inspect.CO_COROUTINE:
                    runner.run(eval(code, namespace))
                else:
                    exec(code, namespace)
            if block.printed is not None and printed.getvalue() != block.printed:
                raise AssertionError(
                    f"{path}:{block.line}: the example prints\n{printed.getvalue()}\nand not\n{block.printed}"
                )


def checked(directory: Path, *arguments: str, environment: Mapping[str, str] | None = None) -> None:
    ended = subprocess.run(
        [sys.executable, "-W", "error", *arguments],
        cwd=directory,
        capture_output=True,
        encoding="utf-8",
        check=False,
        env={**os.environ, **(environment or {})},
    )
    assert ended.returncode == 0, ended.stdout + ended.stderr


def examples() -> dict[str, tuple[str, ...]]:
    """The arguments to Python that check each page and each module with examples."""
    found: dict[str, tuple[str, ...]] = {}
    for page in (_ROOT / "README.md", *sorted((_ROOT / "docs").rglob("*.md"))):
        if blocks(page.read_text(encoding="utf-8")):
            found[page.relative_to(_ROOT).as_posix()] = (__file__, str(page))
    for path in sorted((_ROOT / "ommi").rglob("*.py")):
        if ">>> " in path.read_text(encoding="utf-8"):
            name = ".".join(path.relative_to(_ROOT).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ("-c", _DOCTEST, name)
    return found


@pytest.mark.parametrize("name", examples())
def test_the_examples_run(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    environment = {}
    if '"postgresql://"' in (_ROOT / name).read_text(encoding="utf-8") if name.endswith(".md") else False:
        url = urlsplit(create_database(request.getfixturevalue("postgres_18"), "ommi_documentation"))
        environment = {
            "PGHOST": str(url.hostname),
            "PGPORT": str(url.port),
            "PGUSER": str(url.username),
            "PGDATABASE": url.path.removeprefix("/"),
        }
    checked(tmp_path, *examples()[name], environment=environment)


def test_a_block_that_prints_something_else_is_found(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("# Title\n\n```python\nprint(1)\n```\n\n```text\n2\n```\n")
    with pytest.raises(AssertionError, match=r"page\.md:3: the example prints"):
        checked(tmp_path, __file__, str(page))


def test_blocks_share_a_namespace_and_may_await(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text(
        "```python\nimport asyncio\n```\n\n"
        "```python\nawait asyncio.sleep(0)\nprint('slept')\n```\n```text\nslept\n```\n"
    )
    checked(tmp_path, __file__, str(page))


def test_a_mistake_is_reported_with_its_line_in_the_page(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("\n\n```python\nx = 1\nx.missing\n```\n")
    with pytest.raises(AssertionError, match=r'page\.md", line 5'):
        checked(tmp_path, __file__, str(page))


if __name__ == "__main__":
    run_page(Path(sys.argv[1]))
