"""A step worker on the published `durable-worker`, over SQS: `worker.py <group> [gate file]`.

Prints one JSON line when it is about to poll, one for each step that it runs, and then nothing more. Ends on SIGTERM.
With a gate file every step waits for that file.
"""

import json
import os
import signal
import sys
import threading
import time

import boto3
from durable_worker import FatalError, Worker
from durable_worker.sqs_runner import run_sqs_worker

group, *rest = sys.argv[1:]
gate = rest[0] if rest else None

worker = Worker(auto_register=False)
calls = {}


def say(**fields):
    print(json.dumps(fields), flush=True)


@worker.step("py_echo")
@worker.step("payments.charge-card")
def echo(data, ctx):
    say(ran=data)
    ctx.info("echoing", {"from": "python"})
    ctx.sub("part", "skipped", "not today")
    while gate is not None and not os.path.exists(gate):
        time.sleep(0.02)
    return {"by": "python", "input": data, "context": ctx.context}


@worker.step("py_declined")
def declined(data):
    say(ran=data)
    raise FatalError("the card was declined", code="card_declined", details={"bank": "b-1"})


@worker.step("py_busy")
def busy(data):
    say(ran=data)
    calls[data] = calls.get(data, 0) + 1
    if calls[data] < 3:
        raise ValueError(f"busy, call {calls[data]}")
    return calls[data]


@worker.step("py_large")
def large(data):
    say(ran=len(data))
    return data + data


def client():
    bucket = os.environ.get("EXTENDED_CLIENT_BUCKET")
    if bucket is None:
        return boto3.client("sqs")
    from sqs_extended_client import SQSExtendedClientSession

    extended = SQSExtendedClientSession().client("sqs")
    extended.large_payload_support = bucket
    return extended


stop = threading.Event()
signal.signal(signal.SIGTERM, lambda *_: stop.set())
sqs = client()
say(ready=True)
run_sqs_worker(
    worker,
    group=group,
    prefix=os.environ["PREFIX"],
    results_queue_url=os.environ.get("RESULTS_QUEUE_URL"),
    wait_time_seconds=1,
    marker=os.environ.get("MARKER"),
    client=sqs,
    stop=stop,
)
