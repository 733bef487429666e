"""From a tree to a plan: names bound to slots, an access path for every source.

The one idea: a plan is plain data.  It shows what is read, and so what a transaction conflicts with.
In: an ``ast.Statement`` and a ``Catalogue``.
Out: a ``Plan``, or a PartiqlError of category Semantic.
``resolve`` has the rules of names, ``planner`` chooses access paths, ``explain`` writes a plan for people.
Open ``plan`` first, then ``planner.py``; ``data.py`` has the interface of a running plan to the engine.
"""
