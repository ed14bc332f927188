"""Jobs of machines without a shared folder: inputs, records and checkpoints by a bucket."""
