"""Jobs in workers of a Ray cluster: the executor, the process that holds the driver, and the worker."""
