"""The command ``qldb-emulator shell``: PartiQL at a prompt, from a file, from a pipe, or in one line.

``statements`` cuts text into parts.  A part is a command of the shell (``commands``) or a statement (``state``).  Rows
go through a format (``formats``) to a file, a pipe, a terminal or its pager (``output``).  What only a prompt needs
(``prompt``, ``completion``, ``highlight``) is imported at a prompt only.
"""
