"""Ion: the data model, its binary and text forms, its hash and its equalities.

In: bytes or text of Ion, or Python values of the data model (``values``).
Out: the other form, a SHA-256 Ion Hash, or the answer to "equal?" and "less?" (``compare``).
Whatever is read comes back exactly: type, annotations, decimal scale, precision and offset of a timestamp.
Open ``values`` first, then ``codec``.
"""
