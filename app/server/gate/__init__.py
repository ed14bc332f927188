"""The access gate: who comes in, as whom, and the pages to sign in."""
