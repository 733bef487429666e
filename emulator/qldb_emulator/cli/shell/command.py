"""The click command ``shell``: which way the shell is used, and how it ends."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from ...ion.codec import IonError, loads
from ...ion.values import IonValue
from ..config import user_directory
from ..connection import failures, region_option, url_option
from ..failure import EXIT_FAILED, Failure
from .favourites import Favourites
from .formats import FORMATS
from .output import Output, default_pager
from .script import read_file, run_script, standard_input
from .settings import DESTRUCTIVE, EDITING_MODES, EXPANDED, ShellSettings
from .state import Shell


@click.command()
@click.argument("ledger", envvar="QLDB_EMULATOR_LEDGER")
@click.option("-c", "--command", "statements", multiple=True, metavar="STATEMENT", help="Run this and leave.")
@click.option("-p", "--parameter", "parameters", multiple=True, metavar="ION", help="A parameter of -c, as Ion text.")
@click.option(
    "-i", "--input", "file", type=click.Path(exists=True, dir_okay=False, path_type=Path), help="Run a file and leave."
)
@click.option(
    "-f",
    "--format",
    "form",
    type=click.Choice(FORMATS),
    default=None,
    envvar="QLDB_EMULATOR_FORMAT",
    help="How rows are shown.  [default: table on a terminal, else ion]",
)
@click.option("-o", "--output", "output_file", metavar="FILE", help="Write rows to this file.")
@click.option(
    "-x",
    "--expanded",
    type=click.Choice(EXPANDED),
    default="auto",
    show_default=True,
    help="Show each field of a row on a line of its own; auto: where the table is too wide for the terminal.",
)
@click.option(
    "--aws-script",
    "is_line_mode",
    is_flag=True,
    help="Read statements as AWS's QLDB shell 2.0 did: each line is one, without a semicolon, and an error does not "
    "end the run.  The exit code is 1 if any failed.",
)
@click.option(
    "--destructive",
    type=click.Choice(DESTRUCTIVE),
    default=None,
    help="Ask before DELETE or UPDATE without WHERE and before DROP TABLE; allow or refuse them.  "
    "[default: ask at the prompt, else allow]",
)
@click.option("--timing", is_flag=True, envvar="QLDB_EMULATOR_TIMING", help="Show times and IOs.")
@click.option("-q", "--quiet", is_flag=True, help="Show rows and errors only: no greeting, row counts or progress.")
@click.option(
    "--pager",
    metavar="COMMAND",
    help='What shows long results at the prompt; "off" for none.  [default: $PAGER or less]',
)
@click.option(
    "--editing-mode",
    type=click.Choice(EDITING_MODES),
    default="emacs",
    show_default=True,
    help="Keys of the prompt.",
)
@click.option("--style", default="default", show_default=True, help="Colours of the prompt, a style of Pygments.")
@url_option
@region_option
@click.pass_context
def shell(
    context: click.Context,
    ledger: str,
    statements: tuple[str, ...],
    parameters: tuple[str, ...],
    file: Path | None,
    form: str | None,
    output_file: str | None,
    expanded: str,
    is_line_mode: bool,
    destructive: str | None,
    timing: bool,
    quiet: bool,
    pager: str | None,
    editing_mode: str,
    style: str,
    url: str,
    region: str | None,
) -> None:
    """PartiQL on LEDGER: at a prompt, from standard input, from a file, or in one line with -c.

    A statement ends with a semicolon; at the prompt also with an empty line.  \\? at the prompt lists the commands.
    Away from the prompt, the first statement that fails ends everything with exit code 1.
    """
    if parameters and len(statements) != 1:
        raise click.UsageError("--parameter needs exactly one --command")
    if statements and file is not None:
        raise click.UsageError("--command and --input: the statements are in one of them")
    if statements and is_line_mode:
        raise click.UsageError(
            "--aws-script is for statements in lines, from a file or standard input, not for --command"
        )
    values = [_parameter(number, text) for number, text in enumerate(parameters, 1)]
    is_prompt = not statements and file is None and sys.stdin.isatty()
    settings = ShellSettings(
        form=form or ("table" if sys.stdout.isatty() and output_file is None else "ion"),
        is_timing=timing,
        is_quiet=quiet,
        expanded=expanded,
        destructive=destructive or ("ask" if is_prompt else "allow"),
        is_line_mode=is_line_mode,
        editing_mode=editing_mode,
        style=style,
    )
    output = Output(_pager(pager) if is_prompt else "")
    output.to_file(output_file or "")
    with failures():
        favourites = Favourites(user_directory() / "favourites.toml")
        made = Shell(url, region, ledger, settings, output, favourites, _ask if sys.stdin.isatty() else None)
    context.exit(_run(made, is_prompt, statements, values, file))


def _run(shell: Shell, is_prompt: bool, statements: tuple[str, ...], values: list[IonValue], file: Path | None) -> int:
    """Run the shell until it is over.  The exit code.  Raises KeyboardInterrupt."""
    code = 0
    try:
        with failures():
            if is_prompt:
                from .prompt import Prompt, interact

                interact(shell, Prompt(shell))
            else:
                code = 0 if _run_scripts(shell, statements, values, file) else 1
    except Failure as error:
        error.show()  # before the note that a transaction was left open
        code = error.exit_code
    except KeyboardInterrupt:
        shell.interrupt()
        raise
    finally:
        is_lost = shell.transaction is not None and not is_prompt
        shell.leave()
        shell.output.close()
    return code or (EXIT_FAILED if is_lost else 0)  # a script that loses its work has failed


def _run_scripts(shell: Shell, statements: tuple[str, ...], values: list[IonValue], file: Path | None) -> bool:
    if file is not None:
        return run_script(shell, read_file(file), [], str(file))
    if not statements:
        return run_script(shell, standard_input(), [])
    succeeded = True
    for text in statements:
        succeeded = run_script(shell, text.split("\n"), values) and succeeded
        if shell.is_over:
            break
    return succeeded


def _parameter(number: int, text: str) -> IonValue:
    try:
        return loads(text)
    except IonError as error:
        raise click.BadParameter(f"number {number} is not Ion: {error}", param_hint="--parameter") from error


def _pager(option: str | None) -> str:
    if option is None or option.lower() == "on":
        return default_pager()
    return "" if option.lower() == "off" else option


def _ask(question: str) -> bool:
    """A question at the terminal.  What was typed or pasted ahead is no answer to it."""
    import termios

    termios.tcflush(sys.stdin, termios.TCIFLUSH)
    try:
        return input(f"{question} [y/N] ").strip().lower() in ("y", "yes")
    except EOFError:
        return False
