"""``flatsort download``: sequences of the MOTChallenge."""

from __future__ import annotations

import re
from pathlib import Path

import click

from flatsort.tools.cli import debug_option, run


@click.command(context_settings={"help_option_names": ["-h", "--help"]})
@click.argument("name", type=click.Choice(["mot15", "mot16", "mot17"]))
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    required=True,
    metavar="DIR",
    help="Folder in which MOT15, MOT16 or MOT17 appears.",
)
@click.option("--url", help="Another address of the archive.")
@click.option("--sha256", metavar="HEX", help="Checksum that the archive must have.")
@click.option("--keep-archive", is_flag=True, help="Keep the archive beside the folder.")
@debug_option
def main(name: str, out: Path, url: str | None, sha256: str | None, keep_archive: bool) -> None:
    """Download sequences of the MOTChallenge (motchallenge.net) and unpack them.

    The archives have about 1.3 GB (mot15), 1.9 GB (mot16) and 5.5 GB (mot17), and need as much again unpacked. The same
    command continues an interrupted download. An archive that is in DIR already, as MOT16.zip, is used and left there.
    The folder appears only when all of its files are there and their checksums are correct. The data are published for
    research, not for commercial use: see motchallenge.net.

    \b
    flatsort download mot16 --out data
    flatsort download mot17 --out data --keep-archive
    flatsort download mot15 --out data --url https://mirror.example.org/MOT15.zip
    """
    from flatsort.tools.experiments.archives import DATA_SETS, count_sequences, fetch, sha256_of, unpack

    if sha256 is not None and not re.fullmatch(r"[0-9a-fA-F]{64}", sha256):
        raise click.UsageError(f"--sha256: expected 64 hexadecimal digits, got {sha256!r}")
    data_set = DATA_SETS[name]
    folder, archive = out / data_set.folder, out / f"{data_set.folder}.zip"
    if folder.exists():
        count = count_sequences(folder)
        if count != data_set.sequences:
            raise ValueError(
                f"{folder}: expected nothing or all {data_set.sequences} training sequences, got {count}; move it away"
            )
        click.echo(f"{folder}: there already, with all {count} training sequences")
        return
    out.mkdir(parents=True, exist_ok=True)
    was_there = archive.exists()
    try:
        if not was_there:
            fetch(url or data_set.url, archive, data_set.size)
        got = sha256_of(archive)
        expected = (sha256 or data_set.sha256).lower()
        if expected and got != expected:
            raise ValueError(f"{archive}: expected SHA-256 {expected}, got {got}; delete it to download it anew")
        unpack(archive, folder, data_set.sequences)
    except KeyboardInterrupt:
        click.echo(f"interrupted: the same command continues with what is in {out}", err=True)
        raise
    if not (keep_archive or was_there):
        archive.unlink()
    note = "as expected" if expected else "of the archive, to compare by hand"
    click.echo(f"{folder}: {data_set.sequences} training sequences; SHA-256 {got} {note}")


if __name__ == "__main__":
    run(main)
