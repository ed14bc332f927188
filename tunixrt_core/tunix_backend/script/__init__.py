"""A manifest as a stand-alone script and notebook."""
