"""`chordal demo-library`: synthesised music to try everything on."""

from pathlib import Path

import click

from workers.cli import options


@click.command("demo-library")
@click.argument("folder", type=click.Path(path_type=Path))
@click.option("--seed", type=int, default=1, show_default=True, help="Another seed, other music.")
@click.option("--per-class", type=click.IntRange(min=2), default=12, show_default=True, help="Files per class.")
@options.as_json
def demo_library(folder: Path, seed: int, per_class: int, *, as_json: bool) -> None:
    """Synthesise a small labelled library (tones, chords, drum loops, noise) into FOLDER."""
    from pipeline.synthetic.demo import write_demo_library

    library = write_demo_library(folder, seed=seed, per_class=per_class)
    if as_json:
        options.emit({"folder": str(library.folder), "classes": library.classes, "files": len(library.files)})
    else:
        state = "written" if library.written else "there already"
        click.echo(f"{folder}: a demo library of {len(library.files)} files, {state}", err=True)
