"""From a tree to a plan: names bound to slots, an access path for every source.

The one idea: a plan is plain data; what is read, and so what a transaction conflicts with, can be told from it.
In: an ``ast.Statement`` and a ``Catalogue``.
Out: a ``Plan``, or a PartiqlError of category Semantic.
``resolve`` has the rules of names, ``planner`` chooses access paths, ``explain`` writes a plan for people.
Open ``plan`` first, then ``planner.py``; ``data.py`` is what a running plan asks of the engine.
"""
