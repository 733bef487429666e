"""From a plan to a program: closures for expressions, generators for rows.

The one idea: everything that can be decided before the first row is decided when the closures are made.
In: a ``Plan``; for each run a ``Data`` and the parameters.
Out: rows of Ion values, or ``Change`` objects.
A program keeps no state, so all sessions share it; rows are pulled one at a time.
Open ``compiler`` first; ``prefilter.py`` leaves out rows of a scan that cannot match.
"""
