"""Growth: the time of every operation with 1,000 to 1,000,000 blocks and documents: ``scripts/bench --growth``.

``operation`` says what an operation is, ``reads``, ``writes``, ``proofs``, ``journal`` and ``process`` have them,
``ledgers`` fills what they run on, ``measure`` is the method, ``memory`` a process that is looked at from outside,
``results`` the arithmetic and ``page`` the section of docs/performance.md.
"""
