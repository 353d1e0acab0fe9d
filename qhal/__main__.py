"""``python -m qhal`` is the command ``qhal``."""

import signal

# Ctrl-C while Python still imports ends the process as the shell expects, without a traceback.
_usual = signal.getsignal(signal.SIGINT)
if _usual is signal.default_int_handler:
    signal.signal(signal.SIGINT, signal.SIG_DFL)

from qhal.cli import main  # noqa: E402

if _usual is signal.default_int_handler:
    signal.signal(signal.SIGINT, _usual)

if __name__ == "__main__":
    main(prog_name="qhal")
