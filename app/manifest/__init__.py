"""Parts of the manifest form on the New run and Export pages."""
