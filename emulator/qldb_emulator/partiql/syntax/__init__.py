"""From a statement's text to its tree, and back.

The one idea: one regular expression makes tokens, recursive descent makes a tree of frozen nodes with positions.
In: a text.
Out: an ``ast.Statement``, or a PartiqlError of category Lexer or Parser from ``syntax_errors``.
``printer`` writes a tree as text again; ``script`` splits a text into statements.
Open ``ast`` first, then ``parser.py``.
"""
