"""Measuring rows for contenders: interleaved, in turns, in processes that do nothing else."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from types import TracebackType

__all__ = ["Failed", "Times", "Workers", "measure"]

Times = dict[str, dict[str, list[float]]]
"""Seconds of all measurements, by row and contender."""

_BUDGET = 20.0
"""Seconds that the measurements of one contender in one row may take together; the first is made in any case."""


class Failed(Exception):
    """A contender could not do a row, or did it wrong; with what it said."""


class Workers(AbstractContextManager["Workers"]):
    """A process for each contender, started when it is first asked."""

    def __init__(self, database: str) -> None:
        self.database = database
        self._running: dict[str, subprocess.Popen[str]] = {}

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for worker in self._running.values():
            assert worker.stdin is not None
            worker.stdin.close()
        for worker in self._running.values():
            worker.wait()

    def seconds(self, row: str, contender: str) -> float:
        """One measurement. Raises `Failed`."""
        said = self._ask(row, contender)
        if said.startswith("failed"):
            traceback = said.removeprefix("failed: ").replace("\\n", "\n")
            raise Failed(f"{contender}, {row}: {traceback}")
        return float(said)

    def _ask(self, row: str, contender: str) -> str:
        worker = self._running.get(contender)
        if worker is None:
            command = [sys.executable, "-m", "benchmarks.worker", self.database, contender]
            worker = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            self._running[contender] = worker
            self._line(worker, contender)
        assert worker.stdin is not None
        worker.stdin.write(row + "\n")
        worker.stdin.flush()
        return self._line(worker, contender)

    def _line(self, worker: subprocess.Popen[str], contender: str) -> str:
        assert worker.stdout is not None
        line = worker.stdout.readline().strip()
        if not line:
            raise Failed(f"{contender}: its process ended; what it said is above")
        return line


def measure(
    workers: Workers,
    rows: Sequence[str],
    contenders: Sequence[str],
    repeat: int,
    before: Mapping[str, Mapping[str, Sequence[float]]],
    kept: Callable[[Times], None],
) -> Times:
    """All measurements that `before` does not have yet; `kept` is called with what there is after each turn.

    A turn measures every contender once, and each begins with another. A contender that takes long at a row is
    measured less often there, so that it does not hold up all others. One that fails at a row is left out there, and
    when all is measured the run ends with an error.
    """
    times: Times = {row: {name: list(before.get(row, {}).get(name, ())) for name in contenders} for row in rows}
    failures: list[str] = []
    progress = _Progress(len(rows) * repeat)
    for row in rows:
        failed: set[str] = set()
        spent: dict[str, list[float]] = {name: [] for name in contenders}
        for turn in range(repeat):
            shift = turn % len(contenders)
            for name in [*contenders[shift:], *contenders[:shift]]:
                slow = sum(spent[name]) + max(spent[name], default=0.0) > _BUDGET
                if len(times[row][name]) > turn or slow or name in failed:
                    continue
                begun = time.monotonic()
                try:
                    times[row][name].append(workers.seconds(row, name))
                except Failed as error:
                    failed.add(name)
                    failures.append(f"{name}, {row}")
                    print(f"\n{error}", file=sys.stderr)
                spent[name].append(time.monotonic() - begun)
            progress.done(f"{row}: {turn + 1} of {repeat}")
            kept(times)
    progress.end()
    if failures:
        raise SystemExit(f"failed, and left out: {'; '.join(failures)}")
    return times


class _Progress:
    """A line on the standard error, with how long it will take as far as one can tell."""

    def __init__(self, steps: int) -> None:
        self.steps = steps
        self.made = 0
        self.begun = time.monotonic()

    def done(self, what: str) -> None:
        """One more step."""
        self.made += 1
        left = (time.monotonic() - self.begun) / self.made * (self.steps - self.made)
        self._write(f"{100 * self.made // self.steps:3} %  {what}, about {left / 60:.0f} min left")

    def end(self) -> None:
        """Nothing on the line."""
        self._write("")

    def _write(self, text: str) -> None:
        print(f"\r{text:<78}\r", end="", file=sys.stderr, flush=True)
