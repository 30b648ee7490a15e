"""``python -m netwright``: the same as the command ``netwright``."""

from netwright.cli.main import main

if __name__ == "__main__":
    main()
