"""Serves the step risk.score-order from its SQS queue. Ends on SIGTERM, once it has answered what it received."""

import os
import signal
import threading

from durable_worker import Worker
from durable_worker.sqs_runner import run_sqs_worker

from score import score_of

worker = Worker(auto_register=False)


@worker.step("risk.score-order")
def score_order(order, ctx):
    ctx.info("scoring", {"orderId": order["orderId"]})
    return {"score": score_of(order)}


if __name__ == "__main__":
    stop = threading.Event()
    for signal_number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(signal_number, lambda *_: stop.set())
    run_sqs_worker(
        worker,
        # The step's name as it stands in the queue's name.
        group="risk--score-order",
        prefix=os.environ["DURABLE_PREFIX"],
        region=os.environ["AWS_REGION"],
        # A poll runs to its end before `stop` is looked at; Docker kills what has not ended after ten seconds.
        wait_time_seconds=5,
        stop=stop,
    )
