"""Ways to the server: TCP, TLS, a Unix socket, a pooler in between; and a server that goes away and comes back."""

import shutil
import ssl
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import anyio
import anyio.to_thread
import pytest

from ommi import ConnectionFailed, Effect, Ommi, QueryRejected, Unavailable, add, add_all, catch, find
from ommi.drivers.postgres import PostgresDriver, from_url
from ommi.testing import fails, succeeds
from tests.servers import postgres
from tests.servers.room import Running, directory, stop

from .conftest import Person, Server, connected, models
from .proxies import encrypting, pooling, serving, through

pytestmark = pytest.mark.anyio


# -- a pooler in transaction mode


async def test_behind_a_pooler_statements_and_transactions_work(database: str) -> None:
    with serving(pooling(database)) as port:
        async with connected(through(database, port), pgbouncer=True) as db:
            added = await succeeds(db, add_all([Person("a"), Person("b")]))
            assert await succeeds(db, find(Person).order_by(Person.id).all()) == added
            recovered = add(Person("a")) >> catch(Exception)(lambda _: Effect.from_value(None))
            await succeeds(db, recovered.bind(lambda _: add(Person("c"))).transactional())
            for _ in range(5):
                assert await succeeds(db, find(Person, Person.name == "c").count()) == 1


async def test_behind_a_pooler_streams_work_with_others_in_the_same_transaction(database: str) -> None:
    with serving(pooling(database)) as port:
        async with connected(through(database, port), pgbouncer=True) as db:
            await succeeds(db, add_all([Person(f"p{number}") for number in range(10)]))
            people = find(Person, Person.name != "p3").order_by(Person.id).stream(chunk=2)
            pairs = people.bind(lambda one: people.take(1).map(lambda other: (one.name, other.name)))
            assert len(await succeeds(db, pairs.to_list().transactional())) == 9
            async with db.open(people) as rows:
                assert [person.name async for person in rows][:4] == ["p0", "p1", "p2", "p4"]


async def test_behind_a_pooler_that_was_not_named_the_error_says_so(database: str) -> None:
    with serving(pooling(database)) as port:
        async with Ommi(PostgresDriver(through(database, port))) as db:
            await succeeds(db, find(Person).count())
            error: Any = await fails(db, find(Person).count(), QueryRejected)
    assert "?pgbouncer=true" in str(error)


async def test_behind_a_pooler_nothing_is_prepared_under_a_name(database: str) -> None:
    async def prepared() -> int:
        lease = await driver.pool.acquire()
        found = await lease.connection.raw.fetch("SELECT name FROM pg_prepared_statements WHERE name <> ''")
        driver.pool.release(lease)
        return len(found)

    for url, expected in ((f"{database}?pgbouncer=true", 0), (database, 1)):
        driver = from_url(url, max_size=1)
        async with Ommi(driver) as db:
            await succeeds(db, db.schema.create(models))
            await succeeds(db, find(Person).count())
            assert driver._loop is not None
            assert (await driver._loop.call(prepared) >= 1) is bool(expected)


# -- TLS


@pytest.fixture(scope="module")
def certificate() -> Iterator[Path]:
    """A certificate for localhost that signs itself, with its key."""
    with tempfile.TemporaryDirectory() as made:
        file, key = Path(made) / "server.crt", Path(made) / "server.key"
        request = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
        openssl = shutil.which("openssl")
        assert openssl is not None, "the test makes a certificate with the program openssl"
        subprocess.run(
            [openssl, *request.split(), "subjectAltName=DNS:localhost", "-keyout", str(key), "-out", str(file)],
            check=True,
            capture_output=True,
        )
        yield file


@pytest.fixture
def encrypted(database: str, certificate: Path) -> Iterator[str]:
    """The URL of the database by way of TLS alone."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, certificate.with_suffix(".key"))
    with serving(encrypting(database, context)) as port:
        yield through(database, port).replace("127.0.0.1", "localhost")


@pytest.mark.parametrize("mode", ["prefer", "require", "verify-ca", "verify-full"])
async def test_tls(encrypted: str, certificate: Path, mode: str) -> None:
    root = f"&sslrootcert={quote(str(certificate))}" if mode.startswith("verify") else ""
    async with connected(f"{encrypted}?sslmode={mode}{root}") as db:
        await succeeds(db, add(Person("a")))
        assert await succeeds(db, find(Person).count()) == 1


async def test_tls_with_a_context_of_the_applications_own(encrypted: str, certificate: Path) -> None:
    context = ssl.create_default_context(cafile=str(certificate))
    async with connected(encrypted, ssl=context) as db:
        assert await succeeds(db, find(Person).count()) == 0


@pytest.mark.parametrize("url", ["{}?sslmode=disable", "{}?sslmode=verify-full&sslrootcert={root}"])
async def test_tls_that_is_missing_or_that_nobody_vouches_for(encrypted: str, tmp_path: Path, url: str) -> None:
    other = tmp_path / "other.pem"
    shutil.copy(ssl.get_default_verify_paths().cafile or _any_authority(), other)
    with pytest.raises(ConnectionFailed):
        async with Ommi(PostgresDriver(url.format(encrypted, root=quote(str(other))))):
            pass


async def test_tls_for_another_name(encrypted: str, certificate: Path) -> None:
    url = f"{encrypted.replace('localhost', '127.0.0.1')}?sslrootcert={quote(str(certificate))}&sslmode="
    async with Ommi(PostgresDriver(f"{url}verify-ca")):
        pass
    with pytest.raises(ConnectionFailed):
        async with Ommi(PostgresDriver(f"{url}verify-full")):
            pass


def _any_authority() -> str:
    import certifi

    return certifi.where()


# -- a server of the test's own


@pytest.fixture
def own(worker: str) -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        Path(made).chmod(0o711)
        yield directory(Path(made), "server")


async def started(own: Path, **options: Any) -> Running:
    return await anyio.to_thread.run_sync(lambda: postgres.start(postgres.bundled(), own, **options))


async def test_a_unix_socket_a_restart_and_a_password(own: Path) -> None:
    running = await started(own)
    port = int(running.url.rpartition(":")[2].partition("/")[0])
    try:
        async with connected(f"postgresql://postgres@/postgres?host={quote(str(own))}&port={port}") as db:
            await succeeds(db, add(Person("a")))
            stop(running)
            for _ in range(2):
                await fails(db, find(Person).count(), Unavailable)
            running = await started(own, port=port)
            assert await succeeds(db, find(Person).count()) == 1
        await Server(running.url).fetch("ALTER USER postgres PASSWORD 'right'")
        hba = own / "data" / "pg_hba.conf"
        hba.write_text(hba.read_text().replace("trust", "scram-sha-256"))
        stop(running)
        running = await started(own, port=port, trusts=False)
        secured = running.url.replace("postgres@", "postgres:wrong@")
        with pytest.raises(ConnectionFailed) as caught:
            async with Ommi.connect(secured):
                pass
        assert (caught.value.code, caught.value.retryable) == ("28P01", False)
        assert "wrong" not in f"{caught.value} {caught.value!r} {caught.value.__cause__!r}"
        assert "wrong" not in repr(from_url(secured))
        for db in (Ommi.connect(secured.replace("wrong", "right")), Ommi.connect(running.url, password="right")):
            async with db:
                assert await succeeds(db, find(Person).count()) == 1
    finally:
        stop(running)


# -- URLs


def test_options_of_a_url_are_the_drivers() -> None:
    driver = from_url(
        "postgres://u:p@h/d?max_size=7&min_size=2&acquire_timeout=1.5&idle_timeout=none&sslmode=require", max_size=9
    )
    assert (driver._options.max_size, driver._options.min_size) == (9, 2)
    assert (driver._options.acquire_timeout, driver._options.idle_timeout) == (1.5, None)
    assert driver._endpoint.dsn == "postgres://u:p@h/d?sslmode=require"
    assert repr(driver) == "PostgresDriver('postgres://u:***@h/d?sslmode=require')"


@pytest.mark.parametrize(
    "url, said",
    [
        ("postgresql:db", "no PostgreSQL URL"),
        ("postgresql://h/d?max_size=many", "max_size=many"),
        ("postgresql://h/d?max_size=0", "max_size"),
        ("postgresql://u:a#b@h/d", "%23"),
    ],
)
def test_a_url_that_makes_no_sense(url: str, said: str) -> None:
    with pytest.raises(ConnectionFailed, match=said) as caught:
        from_url(url)
    assert not caught.value.retryable


def test_an_option_that_there_is_not() -> None:
    with pytest.raises(TypeError, match="maximum"):
        from_url("postgresql://h/d", maximum=3)
