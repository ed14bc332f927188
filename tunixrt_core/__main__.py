"""`python -m tunixrt_core` is the `tunixrt` command."""

from tunixrt_core.cli.main import main

if __name__ == "__main__":
    main()
