"""What `durable-worker` makes of message bodies: reads a JSON list of them, gives the list of the bodies that it would answer with."""

import json
import sys

from durable_worker import Worker
from durable_worker.sqs_runner import handle_message

worker = Worker(auto_register=False)


def echo(data, ctx):
    return {"input": data, "context": ctx.context}


def not_a_number(_data):
    return float("nan")


bodies = json.load(sys.stdin)
for name in {json.loads(body).get("name") for body in bodies} - {None, "py_nan"}:
    worker.step(name)(echo)
worker.step("py_nan")(not_a_number)

# As run_sqs_worker sends it.
json.dump([json.dumps(handle_message(worker, body)) for body in bodies], sys.stdout)
