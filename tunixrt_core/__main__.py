"""`python -m tunixrt_core`, the same as `tunixrt`."""

from tunixrt_core.cli.main import main

if __name__ == "__main__":
    main()
