"""Quality: gates that say what is wrong with rows, one a module, each with a name, a version and plain functions."""
