"""What a user can set for a shell, by option, variable, configuration file or command."""

from __future__ import annotations

from ...records import dataclass

EXPANDED = ("auto", "on", "off")
DESTRUCTIVE = ("ask", "allow", "refuse")
EDITING_MODES = ("emacs", "vi")


@dataclass(slots=True)
class ShellSettings:
    """form: one of ``formats.FORMATS``.

    expanded: whether a table is shown with a line for each field.  "auto": where it is too wide for the terminal.
    destructive: what happens with DELETE or UPDATE without WHERE, and with DROP TABLE.
    is_quiet: rows and errors only.  is_line_mode: as AWS's shell read: a line is a statement, an error ends nothing.
    pager: its command; empty for none.  style: a name of Pygments.
    """

    form: str
    is_timing: bool = False
    is_quiet: bool = False
    expanded: str = "auto"
    destructive: str = "allow"
    is_line_mode: bool = False
    pager: str = ""
    editing_mode: str = "emacs"
    style: str = "default"
