"""HTTP: a server of our own for both APIs, and Flask for the pages and the admin interface.

In: bytes of a connection (``connection``, ``http1``).
Out: answers of the gateway (both APIs) or of Flask (what is below ``/_qldb``, and the console).
``access`` refuses requests that a foreign web page may have sent.  The first request that needs Flask imports it.
Open ``dispatch`` first.
"""
