"""Several ranks of one program on this machine, as `torchrun` starts them: each is a run with a report of its own."""

from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable
from dataclasses import replace
from typing import IO, Any

from trainlint.project.measuring import Job, Message, Outcome, Run


def run_ranks(job: Job, count: int, stdout: int | IO[bytes] | None = None) -> list[Outcome]:
    """Run to the end; the outcomes in the order of the ranks. A rank that has reported waits for the others, and one
    that fails ends them."""
    runs: list[Run] = []
    outcomes: list[Outcome] = [Outcome(None, "not started", None) for _ in range(count)]
    reported: set[int] = set()
    lock = threading.Lock()

    def end_all() -> None:
        for run in runs:
            run.cancel()

    def listener(rank: int) -> Callable[[Message], None]:
        def listen(message: Message) -> None:
            with lock:
                if message.get("type") == "recording":
                    reported.add(rank)
                if message.get("type") == "failed" or len(reported) == count:
                    end_all()

        return listen

    def wait(rank: int) -> None:
        outcomes[rank] = runs[rank].wait(stdout=stdout)
        if outcomes[rank].recording is None:
            end_all()

    port = free_port()
    for rank in range(count):
        own = {**job.environment, **environment(rank, count, port)}
        runs.append(Run(replace(job, environment=own), listener(rank)))
    threads = [threading.Thread(target=wait, args=(rank,)) for rank in range(count)]
    for thread in threads:
        thread.start()
    try:
        for thread in threads:
            thread.join()
    except BaseException:
        end_all()
        for thread in threads:
            thread.join()
        raise
    return outcomes


def environment(rank: int, count: int, port: int) -> dict[str, str]:
    """What `torchrun` puts into the environment of a rank."""
    return {
        "RANK": str(rank),
        "LOCAL_RANK": str(rank),
        "GROUP_RANK": "0",
        "WORLD_SIZE": str(count),
        "LOCAL_WORLD_SIZE": str(count),
        "MASTER_ADDR": "127.0.0.1",
        "MASTER_PORT": str(port),
    }


def free_port() -> int:
    with contextlib.closing(socket.socket()) as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def why(outcomes: list[Outcome]) -> str:
    """Why there are no figures: what the first rank says that was not ended because of another one."""
    failed = [(rank, each.why) for rank, each in enumerate(outcomes) if each.recording is None]
    own = [item for item in failed if item[1] != "cancelled"] or failed
    return f"rank {own[0][0]}: {own[0][1]}"


def merged(reports: list[dict[str, Any]]) -> dict[str, Any]:
    """The report of the rank with the highest peak, with the peaks and terms of all under `ranks`."""
    at = max(range(len(reports)), key=lambda rank: (reports[rank]["peak"]["allocated"], -rank))
    ranks = [
        {"rank": rank, "batch_size": each["batch_size"], "peak": each["peak"], "terms": each["terms"]}
        for rank, each in enumerate(reports)
    ]
    return {**reports[at], "rank": at, "ranks": ranks}
