"""S3 and Kinesis, real or local: the only room that imports boto3 and moto, and only when they are asked for."""
