"""A run on rented TPUs: files for SkyPilot, GKE and gcloud, and their arithmetic.

`plan` checks the slice and the options and puts a launch together; `skypilot`, `gke` and `gcloud` write its document;
`shell` holds the lines that each host runs.
"""
