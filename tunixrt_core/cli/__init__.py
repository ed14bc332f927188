"""The `tunixrt` command, one module per subcommand."""
