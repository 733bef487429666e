"""Our parts compared with libraries, in a process of an environment with those libraries.

``python -m benchmarks.libraries`` reads a job as JSON from standard input and writes a result as JSON to standard
output, as the clients do::

    {"comparison": "ion-decode", "repetitions": 11, "count": 50, "seed": 1}
    {"means_ns": [[one mean of ours for each repetition], [and of theirs]]}

What is compared is a function of ``ion``, ``partiql`` or ``parsing`` that returns both sides, after it has made sure
that they find the same.
"""
