"""Who sends a request and what it may do: signatures, access keys and policies, for ``serve --auth``.

In: a request with its Authorization header, and the file of keys.
Out: the principal of the request, or the error that refuses it.
Without ``--auth`` this room is not used, and every request is allowed.
Open ``signature`` first.
"""
