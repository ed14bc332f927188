"""Jobs in workers of a Ray cluster: executor, agent, worker, and `bucket/`."""
