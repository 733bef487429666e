"""The JSON interface below ``/_qldb``: a ledger over plain HTTP, for the console and for programs without a driver.

In: requests of Flask, with JSON or Ion.  ``operations`` has a row for each; the OpenAPI document is made from the rows.
Out: calls of the engine, in the same way as for a driver; rows, blocks, versions, proofs, reports as JSON or Ion.
Open ``operations`` first, then ``statements`` (with ``transactions``), ``journal``, ``documents``, ``uploads``.
"""
