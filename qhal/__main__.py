"""``python -m qhal`` is the command ``qhal``."""

from qhal.cli import main

if __name__ == "__main__":
    main(prog_name="qhal")
