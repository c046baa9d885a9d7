"""Runs every row for every contender, interleaved, each measurement in a process that does nothing else."""

from __future__ import annotations

import argparse
from pathlib import Path

from benchmarks.databases import DATABASES, about, rows_of, server
from benchmarks.figures import FIGURES, Asked
from benchmarks.measuring import Times, Workers, measure
from benchmarks.plot import picture
from benchmarks.results import Results, readme, text
from benchmarks.rows import ROWS

_EXAMPLES = f"""rows:
  {"; ".join(ROWS)}

figures:
  {"; ".join(FIGURES)}

examples:
  scripts/bench --row "get by key" --contender ommi --contender tortoise
  scripts/bench --database postgres --json postgres.json --resume --plot postgres.svg
  scripts/bench --database postgres --figure delay --figure tasks --json postgres.json
  scripts/bench --database postgres --json postgres.json --show --plot postgres.svg --readme README.md
"""


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=__doc__,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--database", choices=[*DATABASES], default="sqlite", help="on which database")
    parser.add_argument("--durable", action="store_true", help="PostgreSQL waits for the disk at each commit")
    parser.add_argument("--row", action="append", choices=[*ROWS], metavar="ROW", help="only this row; repeatable")
    parser.add_argument("--contender", action="append", metavar="NAME", help="only this one besides raw; repeatable")
    parser.add_argument(
        "--figure",
        action="append",
        choices=[*FIGURES, "all"],
        metavar="FIGURE",
        help="measure this figure, and no row that is not named; repeatable; `all` for all the database has",
    )
    parser.add_argument("--repeat", type=int, default=5, help="measurements of each (default 5)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="keep what is measured in this file, after each turn")
    parser.add_argument("--resume", action="store_true", help="measure only what --json does not have yet")
    parser.add_argument("--show", action="store_true", help="measure nothing: show what --json has")
    parser.add_argument("--plot", type=Path, metavar="FILE", help="draw the ratios into this SVG file")
    parser.add_argument(
        "--readme", type=Path, metavar="FILE", help="write the table into this Markdown file, between its marks"
    )
    return parser


def main() -> None:
    parser = _parser()
    chosen = parser.parse_args()
    found = DATABASES[chosen.database]
    if unknown := [name for name in chosen.contender or () if name not in found]:
        parser.error(f"{', '.join(unknown)}: on {chosen.database} there are {', '.join(found)}")
    if (chosen.resume or chosen.show) and chosen.json is None:
        parser.error("--resume and --show are about the measurements in --json: name that file")
    if chosen.durable and chosen.database != "postgres":
        parser.error("--durable is about PostgreSQL")
    if chosen.repeat < 1:
        parser.error("--repeat: at least 1")
    results = Results(chosen.database)
    if chosen.json is not None and chosen.json.exists():
        results = Results.read(chosen.json)
        if results.database != chosen.database:
            parser.error(f"{chosen.json} is about {results.database}, not about {chosen.database}")
    if not chosen.show:
        results = _measured(chosen, results)
    print(text(results))
    if chosen.plot is not None:
        chosen.plot.parent.mkdir(parents=True, exist_ok=True)
        chosen.plot.write_text(picture(results))
    if chosen.readme is not None:
        chosen.readme.write_text(readme(chosen.readme.read_text(), results))


def _measured(chosen: argparse.Namespace, kept: Results) -> Results:
    """What was asked for, as results of this run; `kept` is what the file had before, and goes on to be there."""
    database, found = chosen.database, DATABASES[chosen.database]
    kept.about = about(database, durable=chosen.durable)
    shown = Results(database, kept.about)
    rows: list[str] = chosen.row or ([] if chosen.figure else rows_of(database))
    contenders: list[str] = ["raw", *(name for name in chosen.contender or found if name != "raw")]

    def keep(times: Times) -> None:
        shown.put(times)
        kept.put(times)
        if chosen.json is not None:
            kept.write(chosen.json)

    with server(database, durable=chosen.durable):
        with Workers(database) as workers:
            measure(workers, rows, contenders, chosen.repeat, kept.seconds if chosen.resume else {}, keep)
        asked = Asked(database, contenders, chosen.repeat)
        for name, figure in FIGURES.items():
            wanted = name in (chosen.figure or ()) or "all" in (chosen.figure or ())
            if wanted and database in figure.databases and not (chosen.resume and name in kept.figures):
                shown.figures[name] = kept.figures[name] = figure.measure(asked)
                keep({})
            elif name in (chosen.figure or ()) and database not in figure.databases:
                raise SystemExit(f"{name} is measured on {', '.join(figure.databases)}")
    return shown


if __name__ == "__main__":
    main()
