"""One object for everything in a home, with one namespace per topic."""
