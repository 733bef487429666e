"""S3 and Kinesis, real or local.

In: objects to write, records to send, and the endpoints to use.
Out: what those services answer, or a named error.
This is the only room that imports boto3 and moto, and it imports them when they are first needed.
Open ``clients`` first.
"""
