"""Workflows for `python workflow.py [--init] TASK`, which prints the result as JSON."""

import asyncio
import json
import os
import sys
import threading
import time
from typing import Any

import flyte
import flyte.errors

new_condition = getattr(flyte, "new_condition", None) or flyte.new_event  # before 2.5.0
env = flyte.TaskEnvironment(name="approvals")


async def ask(name: str, **options: Any) -> Any:
    condition = await new_condition.aio(name, **options)
    return await condition.wait.aio()


async def error_of(name: str, **options: Any) -> list[str]:
    try:
        await ask(name, **options)
    except Exception as error:
        return [type(error).__name__, str(error)]
    raise AssertionError("no error")


@env.task
def child() -> int:
    return new_condition("child", data_type=int).wait()


@env.task
async def everything() -> str:
    with flyte.group("questions"):
        answers = asyncio.gather(
            ask("bool", prompt="Deploy?", description="To production.", timeout=3600),
            ask("int", data_type=int, prompt="**How many?**", prompt_type="markdown"),
            ask("float", data_type=float),
            ask("str", data_type=str),
            ask("twice", data_type=str),
            ask("twice", data_type=str),
            error_of("expires", timeout=0.5),
            error_of("aborted"),
        )
        answered = await answers
    return json.dumps([*answered, await child.aio()])


@env.task
async def one() -> str:
    return json.dumps(await ask("approve", prompt="Deploy?"))


@env.task
async def three() -> str:
    return json.dumps([await ask(name, prompt="Deploy?") for name in ("first", "second", "third")])


@env.task
async def texts() -> str:
    return json.dumps([await ask("first", data_type=str), await ask("second", data_type=str)])


@env.task
async def fifty() -> str:
    """Return the answers and when the task received each, in seconds since the epoch."""

    async def timed(number: int) -> tuple[int, float]:
        answer = await ask(f"c{number}", data_type=int)
        return answer, time.time()

    return json.dumps(await asyncio.gather(*(timed(number) for number in range(50))))


@env.task
async def abandoned() -> str:
    """Cancel a wait, and end while another one continues."""
    waiting = asyncio.create_task(ask("cancelled"))
    left = asyncio.create_task(ask("left"))
    await ask("go")
    waiting.cancel()
    await asyncio.wait([waiting])
    return json.dumps([waiting.cancelled(), left.done()])


@env.task
async def beats() -> str:
    """Count while a condition waits: the event loop must not be blocked."""
    waiting = asyncio.create_task(ask("approve"))
    count = 0
    while not waiting.done():
        await asyncio.sleep(0.001)
        count += 1
        if count == 100:
            sys.stderr.write("BEAT\n")
    return json.dumps(count >= 100)


@env.task
async def patient() -> str:
    return json.dumps(await ask("approve", timeout=3600))


def twins() -> None:
    """Run a task twice at once, with the same names in both runs."""

    def run(number: int) -> None:
        outputs = flyte.with_runcontext(mode="local", name="twin").run(one).outputs()
        sys.stdout.write(f"{number} {outputs[0]}\n")

    threads = [threading.Thread(target=run, args=[number]) for number in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


@env.task
async def unusable_stores() -> str:
    """Return the errors of waits with unusable stores, and of one that the last store rejects."""
    *unusable, usable = sys.argv[1:-1]
    errors = []
    for path in unusable:
        os.environ["FLYTE_SIDECAR_STORE"] = path
        errors.append(await error_of("approve"))
    os.environ["FLYTE_SIDECAR_STORE"] = usable
    errors.append(await error_of("unpaired \ud800"))
    return json.dumps(errors)


@env.task
async def modules() -> str:
    """Return the modules of this project that a run without conditions has imported."""
    return json.dumps([name for name in sys.modules if name.startswith("flyte_sidecar")])


if __name__ == "__main__":
    if "--init" in sys.argv:
        flyte.init()
    if sys.argv[-1] == "twins":
        sys.exit(twins())
    run = flyte.with_runcontext(mode="local").run(globals()[sys.argv[-1]])
    outputs = run.outputs()
    sys.stdout.write(f"RESULT {outputs if isinstance(outputs, str) else outputs[0]}\n")
