"""A function as its callers see it: an environment for each event there is at one moment."""

import asyncio
from pathlib import Path
from typing import Self

from lambda_bed.environment import Code, Environment
from lambda_bed.errors import Throttled
from lambda_bed.invocation import Invocation

CONCURRENCY = 10
"""What a new AWS account is allowed."""


class Function:
    """The deployed function. Leave its context and every process of it is gone."""

    def __init__(self, code: Code, folder: Path, *, seconds: float = 60.0, concurrency: int = CONCURRENCY) -> None:
        self.code = code
        self.seconds = seconds
        self.environments: list[Environment] = []
        self.invocations: list[Invocation] = []
        self._folder = folder
        self._concurrency = concurrency
        self._started = 0
        self._runs: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        for run in self._runs:
            run.cancel()
        await asyncio.gather(*self._runs, return_exceptions=True)
        await asyncio.gather(*(environment.close() for environment in self.environments))

    async def invoke(self, event: bytes, *, seconds: float | None = None) -> Invocation:
        """Give an event to the environment used last of those that are idle, or to a new one."""
        invocation = Invocation(event, seconds or self.seconds)
        environment = await self._taken()
        self.invocations.append(invocation)
        run = asyncio.create_task(environment.run(invocation))
        self._runs.add(run)
        run.add_done_callback(self._runs.discard)
        return invocation

    async def retire(self) -> list[int | None]:
        """End the idle environments, as Lambda does after some minutes; return their functions' exit codes."""
        idle = [environment for environment in self.environments if environment.alive and not environment.busy]
        await asyncio.gather(*(environment.close() for environment in idle))
        return [environment.exit_code for environment in idle]

    async def _taken(self) -> Environment:
        living = [environment for environment in self.environments if environment.alive]
        idle = [environment for environment in living if not environment.busy]
        if idle:
            chosen = max(idle, key=lambda environment: environment.used_at)
            chosen.busy = True
            return chosen
        if len(living) >= self._concurrency:
            raise Throttled
        self._started += 1
        new = Environment(self.code, self._folder / f"environment-{self._started}")
        new.busy = True
        self.environments.append(new)
        await new.start()
        return new

    @property
    def said(self) -> str:
        """All that was ever written to the logs."""
        return "".join(environment.said for environment in self.environments)

    def faults(self) -> list[str]:
        """Return what was asked of Lambda's interfaces that they do not know, each once."""
        found = []
        for environment in self.environments:
            found += environment.api.faults
            environment.api.faults.clear()
        return found
