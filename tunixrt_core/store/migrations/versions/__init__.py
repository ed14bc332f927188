"""One module a migration, in order. A migration that was released is never changed."""
