"""Jobs of machines without a shared folder, by a bucket."""
