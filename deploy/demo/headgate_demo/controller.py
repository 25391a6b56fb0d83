"""`headgate run`, with everything that it writes in one temporary folder."""

import http.client
import os
import signal
import subprocess
import time

from . import processes
from .failure import Failure

READY_SECONDS = 30
READY_POLL_SECONDS = 0.01
# HAProxy lets requests finish first. A browser's connections on which no request has come yet take 10 s to time out.
GRACE_SECONDS = 15
KILL_SECONDS = 5
TAIL_LINES = 15


class Controller:
    def __init__(self, root, program, folder, ports):
        self._root = root
        self._program = os.path.abspath(program)
        self._folder = folder
        self._ports = ports
        self._process = None
        self._haproxy = None
        self.log = os.path.join(folder, "controller.log")
        self.state_dir = os.path.join(folder, "state")
        self.run_dir = os.path.join(folder, "run")
        self.master_socket = os.path.join(self.run_dir, "master.sock")

    def version(self):
        """Also tells whether it is a program at all."""
        try:
            args = [self._program, "--version"]
            output = subprocess.run(args, capture_output=True, text=True, timeout=10, check=True)
        except (OSError, subprocess.SubprocessError) as error:
            reason = getattr(error, "strerror", None) or error
            raise Failure(f"can't run {self._program}: {reason}: build it with `make`, or set HEADGATE") from error
        return output.stdout.strip().removeprefix("headgate ")

    def start(self, manifests, haproxy):
        """Starts it and waits until it says that it is ready; returns after how many seconds that was."""
        args = [
            self._program,
            "run",
            f"--manifests={manifests}",
            f"--haproxy={haproxy}",
            f"--config-dir={self._root}/haproxy-cfg",
            f"--state-dir={self.state_dir}",
            f"--run-dir={self.run_dir}",
            f"--http-bind=127.0.0.1:{self._ports['http']}",
            # Its port might be somebody's, and nothing here speaks TLS.
            "--https-bind=none",
            f"--stats-bind=127.0.0.1:{self._ports['stats']}",
            f"--admin-bind=127.0.0.1:{self._ports['admin']}",
            "--ingress-class=headgate",
            "--log-format=logfmt",
        ]
        # Options may come from the environment, too; somebody's own are for another Headgate.
        environment = {name: value for name, value in os.environ.items() if not name.startswith("HEADGATE_")}
        self._haproxy = haproxy
        started = time.perf_counter()
        with open(self.log, "wb") as log:
            self._process = processes.start(args, stdin=subprocess.DEVNULL, stdout=log, stderr=log, env=environment)
        while not self._is_ready():
            if self.has_ended():
                raise Failure("the controller was started and is not ready: its log says why")
            if time.perf_counter() > started + READY_SECONDS:
                raise Failure(f"the controller was not ready after {READY_SECONDS} s: its log says why")
            time.sleep(READY_POLL_SECONDS)
        return time.perf_counter() - started

    def is_running(self):
        return self._process is not None and self._process.poll() is None

    def has_ended(self):
        """It was started, and runs no more."""
        return self._process is not None and self._process.poll() is not None

    def status(self):
        """The exit status of one that has ended; -9 is SIGKILL."""
        return self._process.returncode

    def tail(self):
        """The last lines of the log."""
        try:
            with open(self.log, encoding="utf-8", errors="replace") as file:
                return file.read().splitlines()[-TAIL_LINES:]
        except OSError:
            return []

    def stop(self):
        """Ends it, and HAProxy with it; returns what should have ended and had to be forced: {PID: command line}."""
        was_running = self.is_running()
        if was_running:
            self._process.send_signal(signal.SIGTERM)
            self._wait(GRACE_SECONDS)
        forced = self._left()
        for number in (signal.SIGTERM, signal.SIGKILL):
            for pid in self._left():
                _kill(pid, number)
            self._wait(KILL_SECONDS)
        # When it ended before, HAProxy is right to be there: it goes on without its controller.
        return forced if was_running else {}

    def _wait(self, seconds):
        end = time.monotonic() + seconds
        while self._left() and time.monotonic() < end:
            time.sleep(0.05)

    def _left(self):
        """The controller and its HAProxy, as far as they run; HAProxy is known by what it reads."""
        left = processes.running(self._haproxy, self.state_dir)
        if self.is_running():
            left[self._process.pid] = self._program
        return left

    def _is_ready(self):
        connection = http.client.HTTPConnection("127.0.0.1", self._ports["admin"], timeout=1)
        try:
            connection.request("GET", "/readyz")
            return connection.getresponse().status == 200
        except (OSError, http.client.HTTPException):
            return False
        finally:
            connection.close()


def _kill(pid, number):
    try:
        os.kill(pid, number)
    except ProcessLookupError:
        pass
