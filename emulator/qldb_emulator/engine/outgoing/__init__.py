"""What leaves a ledger: journal exports, journal streams, and the same records for local readers.

In: blocks that are committed, read from the ledger's file.
Out: objects in S3, records in Kinesis, lines in a file or an HTTP response.  Progress is kept with the ledger's facts.
Commits never wait for a delivery.  A crash repeats what was delivered, and loses nothing.
Open ``delivery`` first.
"""
