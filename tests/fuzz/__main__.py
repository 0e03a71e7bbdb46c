"""Change valid content many times and read it: ``python -m tests.fuzz [--reader NAME] [--mutations N] [--jobs N]``."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed

import click
from tabulate import tabulate

from tests.fuzz.processes import HEADS, SHOWN, run_reader
from tests.fuzz.readers import all_readers


@click.command()
@click.option("--reader", "readers", multiple=True, help="Name, or begin of names; may be repeated.  [default: all]")
@click.option("--mutations", default=20_000, show_default=True, help="Tries with each reader.")
@click.option("--first", default=0, show_default=True, help="Number of the first try, to repeat one.")
@click.option("--seed", default=0, show_default=True)
@click.option("--jobs", default=2, show_default=True, help="Readers at a time.")
def main(readers: Sequence[str], mutations: int, first: int, seed: int, jobs: int) -> None:
    """Read changed content, and tell what was neither read nor refused in a sentence that names the file."""
    names = [name for name in all_readers() if not readers or name.startswith(tuple(readers))]
    tallies = {}
    with ThreadPoolExecutor(jobs) as pool:
        futures = {pool.submit(run_reader, name, first, mutations, seed): name for name in names}
        for future in as_completed(futures):
            name = futures[future]
            tallies[name] = future.result()
            click.echo("\t".join(map(str, tallies[name].row(name))))
            for fault, numbers in list(tallies[name].faults.items())[:SHOWN]:
                click.echo(f"  {len(numbers)} × {fault} (--reader {name} --first {numbers[0]} --mutations 1)")
    click.echo(tabulate([tallies[name].row(name) for name in names], HEADS))
    sys.exit(any(tally.faults for tally in tallies.values()))


if __name__ == "__main__":
    main()
