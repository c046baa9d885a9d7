"""The rooms where nothing is awaited know no event loop."""

import subprocess
import sys

import pytest

import ommi

LOADED = """
import sys
class Refused:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in {refused!r}:
            raise ImportError(name)
sys.meta_path.insert(0, Refused())
import importlib
for module in {modules!r}:
    importlib.import_module(module)
"""


def imported(modules: list[str], refused: set[str]) -> str:
    """What goes wrong when the modules are imported while others cannot be."""
    code = LOADED.format(modules=modules, refused=refused)
    # the package itself re-exports the database: its parts are imported without it
    alone = (
        "import sys, types; package = types.ModuleType('ommi'); "
        "package.__path__ = [{!r}]; sys.modules['ommi'] = package"
    )
    path = str(next(iter(ommi.__path__)))
    run = subprocess.run([sys.executable, "-c", alone.format(path) + code], capture_output=True, text=True, check=False)
    return run.stderr


@pytest.mark.parametrize(
    "modules",
    [
        ["ommi.effects.effect", "ommi.effects.operations", "ommi.effects.finding", "ommi.effects.many"],
        ["ommi.effects.program", "ommi.effects.schedule", "ommi.effects.catching", "ommi.effects.pointfree"],
        ["ommi.runtime.interpreter", "ommi.runtime.scopes", "ommi.runtime.calls", "ommi.runtime.blocking"],
        ["ommi.query.expressions", "ommi.models", "ommi.errors", "ommi.schema"],
    ],
)
def test_no_event_loop_is_needed_to_describe_and_interpret(modules: list[str]) -> None:
    # `returns` itself imports asyncio; what is to be absent is ours
    assert imported(modules, {"anyio", "trio", "sqlite3", "aiosqlite"}) == ""


def test_the_pump_is_what_needs_one() -> None:
    assert "anyio" in imported(["ommi.runtime.pump"], {"anyio"})


def test_importing_ommi_imports_no_test_library_and_no_model_library() -> None:
    libraries = ("pytest", "hypothesis", "pydantic", "attr", "msgspec")
    code = f"import sys, ommi; print([n for n in {libraries} if n in sys.modules])"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    assert found.strip() == "[]"


def test_the_tools_for_scripts_need_no_test_library() -> None:
    refused = {"pytest", "hypothesis", "trio", "sqlite3"}
    assert imported(["ommi.testing.script", "ommi.testing.clock", "ommi.testing.interposed"], refused) == ""
