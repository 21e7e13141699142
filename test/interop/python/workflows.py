"""Workflows on the published `durable-worker`, over SQS: `workflows.py <group> [gate file]`.

The published SQS runner knows only steps. It serves turns all the same: a turn is one more task with an answer, which `WorkflowWorker`
gives. Its group is the partition of the steps that it calls: "default" means none.

Prints one JSON line when it is about to poll, one for each turn, and then nothing more. Ends on SIGTERM. With a gate file every turn waits
for that file.
"""

import json
import os
import signal
import sys
import threading
import time

import boto3
from durable_worker.sqs_runner import run_sqs_worker
from durable_worker.workflow import StepFailed, WorkflowWorker

group, *rest = sys.argv[1:]
gate = rest[0] if rest else None

workflows = WorkflowWorker("default", auto_register=False)


def say(**fields):
    print(json.dumps(fields), flush=True)


class Turns:
    """Tells of each turn before it runs."""

    def process_task(self, task):
        say(turn=task["runId"], history=len(task["history"]))
        while gate is not None and not os.path.exists(gate):
            time.sleep(0.02)
        return workflows.process_task(task)


@workflows.workflow("py_checkout")
def checkout(ctx, order):
    token = ctx.side_effect(lambda: "made once")
    charge = ctx.step("payments.charge-card", order)
    ctx.sleep(20)
    try:
        ctx.step("payments.decline", order)
    except StepFailed as failed:
        return {"by": "python", "token": token, "charge": charge, "declined": failed.error}
    raise AssertionError("the step was to fail")


@workflows.workflow("parent")
def parent(ctx, order):
    return {"by": "python", "child": ctx.start_child("ts_child", order)}


@workflows.workflow("py_child")
def child(ctx, order):
    return {"by": "python", "order": order}


@workflows.workflow("shared")
def shared(ctx, number):
    number = ctx.side_effect(lambda: number)
    for _ in range(3):
        number = ctx.step("double", number)
    return number


@workflows.workflow("clock")
def clock(ctx, _input):
    at = ctx.now()
    ctx.wait_signal("clock-go")
    return at


stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
sqs = boto3.client("sqs")
say(ready=True)
run_sqs_worker(Turns(), group=group, prefix=os.environ["PREFIX"], wait_time_seconds=1, client=sqs, stop=stop)
