"""A real S3 server for tests: OpenStack Swift with its s3api, which refuses what S3 refuses."""
