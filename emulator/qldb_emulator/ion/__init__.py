"""Ion: the data model, its binary and text forms, its hash and its equalities.

In: bytes or text of Ion, or Python values of the data model (``values``).
Out: the other form, a SHA-256 Ion Hash, or the answer to "equal?" and "less?" (``compare``).
A value that is read and written again is the same: type, annotations, decimal scale, timestamp precision and offset.
Open ``values`` first, then ``codec``.
"""
