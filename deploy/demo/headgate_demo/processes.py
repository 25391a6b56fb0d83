"""Starting, ending and finding the processes of the demo."""

import ctypes
import os
import signal
import subprocess
import sys

from .failure import Failure

NODE_SECONDS = 5

_PR_SET_PDEATHSIG = 1


def start(args, **more):
    """Starts a program in a session of its own, so that Ctrl-C is ours alone; when the demo is killed, it gets SIGTERM."""
    libc = ctypes.CDLL(None)

    def before_exec():
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)

    return subprocess.Popen(args, start_new_session=True, preexec_fn=before_exec, **more)


class Node:
    """The process of node.py."""

    def __init__(self, pods, port):
        program = os.path.join(os.path.dirname(__file__), "node.py")
        args = [sys.executable, "-B", program, str(port)] + [f"{name}={address}" for name, address in pods.items()]
        self._process = start(args, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    def wait_until_ready(self):
        """Returns the port that all pods listen on."""
        port = self._process.stdout.readline().strip()
        if not port.isdigit():
            lines = self._process.stderr.read().strip().splitlines() or ["no reason given"]
            raise Failure(f"can't start web servers on 127.0.10.1 and so on: {lines[-1]}: is the loopback interface up?")
        return int(port)

    def stop(self):
        self._process.stdin.close()
        try:
            self._process.wait(NODE_SECONDS)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._process.stdout.close()
        self._process.stderr.close()


def running(program, text):
    """The processes of this program that have this text among their arguments: {PID: command line}."""
    found = {}
    for pid in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{pid}/cmdline", "rb") as file:
                words = file.read().decode(errors="replace").strip("\0").split("\0")
        except OSError:
            # It has just ended.
            continue
        if words[0] == program and any(text in word for word in words[1:]):
            found[int(pid)] = " ".join(words)
    return found
