"""The command line, and how the demo ends: in order, by Ctrl-C, or with one line that says what is wrong."""

import argparse
import http.client
import os
import signal
import sys
import time

from . import haproxy
from .failure import Failure, Interrupted
from .stage import Stage
from .story import Story, say, show_where_things_are

ROOT = os.path.abspath(os.path.join(os.path.dirname(__file__), "../../.."))
WATCH_SECONDS = 0.5
ENDING = "\nEnding; HAProxy finishes what is open first (10 s at most)."

# As shells report a program that Ctrl-C ended.
EXIT_INTERRUPTED = 128 + signal.SIGINT


def main():
    options = _read_options()
    _raise_on_signals()
    status = 1
    stage = None
    try:
        chosen = haproxy.HAProxy(options.haproxy) if options.haproxy else haproxy.find(ROOT, say)
        stage = Stage(ROOT, options.headgate)
        status = _play(stage, chosen, options.keep)
    except Interrupted:
        say(ENDING)
        status = EXIT_INTERRUPTED
    except BrokenPipeError:
        # Nobody reads on, as in `demo | head`; what is still said goes nowhere.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    except (Failure, OSError, http.client.HTTPException) as error:
        _complain(error, stage)
    finally:
        status = max(status, _clean_up(stage))
    sys.exit(status)


def _read_options():
    parser = argparse.ArgumentParser(
        prog="deploy/demo/demo",
        description="Shows Headgate and a real HAProxy at work on this machine, without a cluster. Takes ten seconds.",
        epilog="HEADGATE in the environment is the program to show (default: build/headgate).",
    )
    parser.add_argument("--keep", action="store_true", help="stay up until Ctrl-C, to look around and to edit manifests")
    parser.add_argument("--haproxy", metavar="PATH", help="use this HAProxy, not the one that deploy/dev/haproxy fetches")
    parser.set_defaults(headgate=os.environ.get("HEADGATE") or f"{ROOT}/build/headgate")
    return parser.parse_args()


def _raise_on_signals():
    """The first one ends the demo; further ones must not end the cleaning up."""

    def interrupt(_number, _frame):
        _ignore_signals()
        raise Interrupted

    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, interrupt)


def _ignore_signals():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)


def _play(stage, chosen, is_kept):
    """The exit status."""
    seconds = stage.set_up(chosen)
    n_pods = len(stage.manifests.pods)
    say(f"Headgate {stage.version} and HAProxy {chosen.version}; {n_pods} local web servers are the pods.")
    say(f"HAProxy is {chosen.path}")
    if not chosen.adds_backends_live():
        say(f"Before {haproxy.BRANCH} it can't add a backend at run time: a new service costs a reload, but no request.")
    say(f"Ready {seconds:.2f} s after the start; worker PID {stage.workers.current}.")
    say()
    status = 0
    try:
        Story(stage, chosen).tell()
    except Failure as failure:
        if not is_kept:
            raise
        _complain(failure, stage)
        status = 1
    if is_kept:
        show_where_things_are(stage)
        _stay(stage)
    return status


def _stay(stage):
    """Until Ctrl-C, which is how it is meant to end."""
    try:
        while stage.controller.is_running():
            time.sleep(WATCH_SECONDS)
    except Interrupted:
        say(ENDING)
        return
    raise Failure("the controller ended by itself: its log says why")


def _complain(error, stage):
    print(f"demo: {error}", file=sys.stderr, flush=True)
    controller = stage.controller if stage is not None else None
    lines = controller.tail() if controller is not None else []
    if lines:
        state = f"ended with status {controller.status()}" if controller.has_ended() else "is running"
        print(f"demo: the controller {state}; the end of its log:", file=sys.stderr)
    for line in lines:
        print(f"  {line}", file=sys.stderr, flush=True)


def _clean_up(stage):
    """The exit status."""
    _ignore_signals()
    if stage is None:
        return 0
    try:
        stage.close()
        say("Cleaned up: no process is left, and no file.")
    except Failure as failure:
        print(f"demo: {failure}", file=sys.stderr)
        return 1
    return 0
