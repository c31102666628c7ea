"""The signals that end a development server: Ctrl-C, kill, a terminal that closes."""

import signal

ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


def expect() -> None:
    """Have each of them raise KeyboardInterrupt, even where the shell had it ignored."""
    for ending in ENDINGS:
        signal.signal(ending, signal.default_int_handler)


def ignore() -> None:
    """Let nothing interrupt what takes a moment and has to be done."""
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
