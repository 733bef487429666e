"""One emulator: ledgers, the sessions on them, and what leaves them.

In: commands of the session API and operations of the control plane, as Python values under the model's names.
Out: results of the same kind, or a QldbError.  Everything durable is in the ledgers' files, or in a shared log.
Rooms, from below: ``ledger``, ``session``, ``outgoing``, ``control``, ``workbench``.
Open ``emulator`` first: it puts the parts together.
"""
