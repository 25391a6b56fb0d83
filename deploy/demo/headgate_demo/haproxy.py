"""HAProxy: which one it is, and which worker serves. What it does is Headgate's to say, not ours."""

import os
import re
import shutil
import socket
import subprocess
import time

from .failure import Failure

BRANCH = "3.4"
TRIES = 40
PAUSE_SECONDS = 0.05
ANSWER_SECONDS = 2

_VERSION = re.compile(r"^HA-?Proxy version (\S+)", re.M)
_WORKER = re.compile(r"^(\d+)\s+worker\s")


class HAProxy:
    def __init__(self, path):
        self.path = path
        try:
            output = subprocess.run([path, "-v"], capture_output=True, text=True, timeout=10).stdout
        except (OSError, subprocess.TimeoutExpired) as error:
            reason = getattr(error, "strerror", None) or error
            raise Failure(f"can't run {path}: {reason}: name a HAProxy with --haproxy PATH") from error
        found = _VERSION.search(output)
        if found is None:
            raise Failure(f"{path} is not HAProxy (-v does not say its version): name a HAProxy with --haproxy PATH")
        self.version = found.group(1)

    def adds_backends_live(self):
        """From 3.4 on a new service needs no reload."""
        major, minor = (int(number) for number in re.findall(r"\d+", self.version)[:2])
        return (major, minor) >= (3, 4)


def find(root, say):
    """The newest one that the development tools can get; else the one of this machine."""
    fetch = subprocess.run([f"{root}/deploy/dev/haproxy", BRANCH], stdout=subprocess.PIPE, text=True)
    if fetch.returncode == 0:
        return HAProxy(fetch.stdout.strip())
    path = shutil.which("haproxy", path=os.environ.get("PATH", "") + ":/usr/local/sbin:/usr/sbin")
    if path is None:
        raise Failure(f"neither HAProxy {BRANCH} nor another one is here: install one, or name it with --haproxy PATH")
    haproxy = HAProxy(path)
    say(f"HAProxy {BRANCH} is not to be had here; going on with {path}, which is {haproxy.version}.")
    return haproxy


class Workers:
    """Asks the master who works, and remembers every worker that was seen since the first time it was asked."""

    def __init__(self, master_socket):
        self._socket = master_socket
        self.current, self._before = self._look()
        self._seen = {self.current}

    def look(self):
        """Brings everything up to date."""
        self.current, pids = self._look()
        self._seen |= pids - self._before | {self.current}

    def reloads(self):
        """Since the first time: each reload has a new worker."""
        return len(self._seen) - 1

    def _look(self):
        """The worker in charge, and all workers. A master that executes itself again drops connections: ask again."""
        for _ in range(TRIES):
            try:
                current, pids = _parse(self._ask("show proc"))
            except OSError:
                current = 0
            if current:
                return current, pids
            time.sleep(PAUSE_SECONDS)
        raise Failure(f"HAProxy's master names no worker on {self._socket}: its log may say why")

    def _ask(self, command):
        with socket.socket(socket.AF_UNIX) as master:
            master.settimeout(ANSWER_SECONDS)
            master.connect(self._socket)
            master.sendall(command.encode() + b"\n")
            # It answers when it knows that no more commands come.
            master.shutdown(socket.SHUT_WR)
            return b"".join(iter(lambda: master.recv(65536), b"")).decode()


def _parse(text):
    """Workers stand under "# workers", those that a reload replaced under "# old workers"."""
    current = 0
    pids = set()
    is_old = False
    for line in text.splitlines():
        is_old = line.startswith("# old") or (is_old and not line.startswith("#"))
        row = _WORKER.match(line)
        if row is not None:
            pids.add(int(row.group(1)))
            current = current if is_old else int(row.group(1))
    return current, pids
