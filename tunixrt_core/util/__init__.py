"""Files, hashes, processes, host facts and background tasks: helpers without domain knowledge."""
