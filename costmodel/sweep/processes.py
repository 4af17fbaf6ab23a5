"""Processes of this machine as an executor that can be stopped in the middle of a part.

`ProcessPoolExecutor` waits for ever where a process ends while it sends a result, since all share
one pipe. Here each has a pipe of its own, at whose end a lost process is seen at once.
"""

import pickle
import signal
import sys
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from multiprocessing import get_context
from multiprocessing.connection import Connection
from queue import Empty, SimpleQueue
from threading import Lock, Thread
from typing import Any

from archspec.errors import SpecError

START = "fork" if sys.platform == "linux" else "spawn"
"""How processes begin: on other systems a fork of a process with threads is not safe."""

Task = tuple[Future[Any], bytes]
"""What becomes of a call, and the call, pickled."""


class Processes(Executor):
    """Evaluates calls in processes, each of which takes the next when it is free.

    Args:
        count: how many processes.
    """

    def __init__(self, count: int) -> None:
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        context: Any = get_context(START)  # the type's stub lacks Process
        self._processes = []
        ends = []
        with _held_signals(), warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)  # of forks beside BLAS's threads
            for _ in range(count):
                own, other = context.Pipe()
                process = context.Process(target=_work, args=(other,), daemon=True)
                process.start()
                other.close()
                self._processes.append(process)
                ends.append(own)
        self._left, self._lock = count, Lock()
        self._threads = [Thread(target=self._serve, args=(end,), daemon=True) for end in ends]
        for thread in self._threads:
            thread.start()

    def submit(self, call: Callable[..., Any], /, *arguments: Any, **named: Any) -> Future[Any]:
        """Hand out a call; it and what it returns are pickled."""
        future: Future[Any] = Future()
        self._tasks.put((future, pickle.dumps((call, arguments, named))))
        return future

    def kill(self) -> None:
        """End all processes at once, whatever they are doing."""
        for process in self._processes:
            process.kill()

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """Let the processes end when they have done what is handed out."""
        while cancel_futures:
            try:
                task = self._tasks.get_nowait()
            except Empty:
                break
            if task:
                task[0].cancel()
        for _ in self._threads:
            self._tasks.put(None)
        for thread in self._threads if wait else ():
            thread.join()

    def _serve(self, end: Connection) -> None:
        """Send calls to one process, until there are no more, or it is lost and others are left."""
        with end:
            for future, call in iter(self._tasks.get, None):
                if not future.set_running_or_notify_cancel():
                    continue
                try:
                    end.send_bytes(call)
                    is_good, found = pickle.loads(end.recv_bytes())
                except (EOFError, OSError):
                    future.set_exception(_lost())
                    if self._others_are_left():
                        return
                    continue
                (future.set_result if is_good else future.set_exception)(found)

    def _others_are_left(self) -> bool:
        """Count a lost process; return whether others do what is handed out."""
        with self._lock:
            self._left -= 1
            return self._left > 0


def _lost() -> SpecError:
    cause = "a process that evaluates points was ended from outside, maybe for want of memory"
    return SpecError(cause, hint="say fewer with --jobs")


def _work(end: Connection) -> None:
    """Evaluate the calls that come, and send back what they return or raise."""
    for each in _stops():
        is_ours = each == signal.SIGTERM  # by it daemons are ended that are left at exit
        signal.signal(each, signal.SIG_DFL if is_ours else signal.SIG_IGN)
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_UNBLOCK, _stops())
    with end:
        while True:
            try:
                call, arguments, named = pickle.loads(end.recv_bytes())
                end.send_bytes(_outcome(call, *arguments, **named))
            except (EOFError, OSError):
                return  # nobody reads on


def _outcome(call: Callable[..., Any], *arguments: Any, **named: Any) -> bytes:
    try:
        return pickle.dumps((True, call(*arguments, **named)), pickle.HIGHEST_PROTOCOL)
    except Exception as error:
        return pickle.dumps((False, error))


def _stops() -> list[signal.Signals]:
    """Return the signals that end a run, which only the process that reads the results heeds."""
    return [each for each in signal.Signals if each.name in ("SIGINT", "SIGTERM", "SIGHUP")]


@contextmanager
def _held_signals() -> Iterator[None]:
    """Let signals wait that end a run: what their handlers raise is lost while Python forks."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, _stops())
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)
