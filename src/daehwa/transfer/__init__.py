"""Moving conversations between stores: a file of records, whole and idempotent."""
