"""`tape docs`: the pages that come from the code."""

from pathlib import Path

import click


@click.command("docs")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def command(folder: Path) -> None:
    """Write the pages that come from the code into FOLDER."""
    from pipeline.cli import main
    from pipeline.run.pages import pages

    folder.mkdir(parents=True, exist_ok=True)
    for name, text in pages(main).items():
        (folder / name).write_text(text)
        click.echo(folder / name)
