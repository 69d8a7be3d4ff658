"""Run independent pieces of device work on all host cores, results in order."""

import os
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import islice
from typing import TypeVar

import jax

from electjax.numerics.host import double_precision

T = TypeVar("T")
R = TypeVar("R")


def host_workers() -> int:
    """Threads that keep the device busy: one per core on CPU, where a compiled call uses one; else one."""
    if jax.default_backend() != "cpu":
        return 1
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def side_by_side(work: Callable[[T], R], items: Sequence[T]) -> list[R]:
    """work(item) of all items at a time, each on a thread of its own, in double precision."""

    def run(item: T) -> R:
        with double_precision():  # which is of one thread
            return work(item)

    with ThreadPoolExecutor(len(items)) as pool:
        return list(pool.map(run, items))


def ordered_map(work: Callable[[T], R], items: Iterable[T]) -> Iterator[R]:
    """Yield work(item) in the order of the items, a few ahead of the consumer, on `host_workers` threads.

    The first item runs alone, so that a function compiles once and not once per thread. A consumer that stops
    early leaves the items not yet begun undone.
    """
    workers = host_workers()
    source = iter(items)
    for item in islice(source, 1):
        yield work(item)
    if workers == 1:
        yield from map(work, source)
        return
    pending: deque[Future[R]] = deque()
    with ThreadPoolExecutor(workers) as pool:
        try:
            for item in source:
                pending.append(pool.submit(work, item))
                if len(pending) > workers:
                    yield pending.popleft().result()
            while pending:
                yield pending.popleft().result()
        finally:
            pool.shutdown(wait=True, cancel_futures=True)
