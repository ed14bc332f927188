"""Form helpers: fields, drafts and submissions."""
