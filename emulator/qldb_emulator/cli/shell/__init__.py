"""The command ``qldb-emulator shell``: PartiQL at a prompt, from a file, from a pipe, or in one line.

In: text.  ``statements`` cuts it into parts; a part is a command of the shell (``commands``) or a statement.
Out: rows, page by page through a format (``formats``) to a file, a pipe, a terminal or its pager (``output``).

What only a prompt needs (``prompt``, ``completion``, ``highlight``) is imported at a prompt only.
Open ``state`` first: a statement's way from text to rows.
"""
