"""Jobs in workers of a Ray cluster: executor, agent and worker; `bucket/`: without a shared folder."""
