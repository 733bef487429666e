"""The JSON interface below ``/_qldb``: a ledger for programs that have neither Ion nor a driver, and for the console.

Statements, transactions, blocks, revisions, digests, proofs, search and a live tail, over plain HTTP.  Every request is
a row of ``operations.OPERATIONS``; the OpenAPI document is made from the same rows.
"""
