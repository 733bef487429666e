"""HTTP: a server of our own for both APIs, and Flask for the pages and the admin interface.

In: bytes of a connection (``connection``, ``http1``).
Out: answers of the gateway (both APIs) or of Flask (what is below ``/_qldb``, and the console).
``access`` refuses what a foreign web page could have sent.  Flask is loaded with the first request that needs it.
Open ``dispatch`` first.
"""
