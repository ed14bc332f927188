"""Import: bytes of any known format become traces or row errors."""
