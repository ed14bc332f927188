"""The dashboard and the JSON API: one process, one Pipeline, an access gate in front."""
