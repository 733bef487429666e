"""The two AWS APIs as bytes: requests become commands, results and errors become answers.

In: the parts of an HTTP request, or a result or error of the engine.
Out: a checked command, or status, headers and body of an answer.
The service models in ``aws_models`` define all of it; ``send_command`` is a faster path for the one hot request.
Open ``model`` first.
"""
