"""The traces of the store: writing, filters, counts, groups and curation."""
