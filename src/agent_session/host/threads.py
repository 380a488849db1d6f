"""Threads beside the main one, which never outlive the block that they work for."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

from agent_session.host.signals import uninterrupted


@contextmanager
def beside(workers: int) -> Iterator[ThreadPoolExecutor]:
    """Yield a thread pool that has ended when the block is left.

    After an exception, a signal's too, tasks that have not begun are dropped; the others are waited for.

    An executor's own `with` can be left by a signal while it waits; its threads would then go on asking an
    engine that has been closed, and that would start another service for them, which would never end.
    """
    pool = ThreadPoolExecutor(max_workers=workers)
    try:
        yield pool
    except BaseException:
        with uninterrupted():
            pool.shutdown(cancel_futures=True)
        raise
    with uninterrupted():
        pool.shutdown()
