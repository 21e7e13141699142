"""ministack, an AWS on loopback, made to behave as AWS does where our tests depend on it.

Each correction below names the behaviour of AWS and where AWS documents it. What is left uncorrected stands in
docs/aws-checklist.md. Runs until SIGTERM, or until stdin is closed: whoever started it is gone. Settings are those of ministack (environment), and PLAIN_HTTP_PORT: a second port
without TLS, so that a test can ask what a policy says about plain HTTP; CALLS_FILE: see strict_rights.py.
"""

import asyncio
import json
import os
import signal
import sys
import threading

import hypercorn.config
import ministack.app
from ministack.core import lambda_runtime
from ministack.services import iam, sqs
from ministack.services.cloudformation import provisioners

from strict_rights import correct_rights, refused_poll_action


def wrap(resource_type, operation, before):
    handlers = provisioners._RESOURCE_HANDLERS[resource_type]
    handle = handlers[operation]

    def checked(*args, **kwargs):
        before(*args)
        return handle(*args, **kwargs)

    handlers[operation] = checked


def refuse_existing_queue(logical_id, props, stack_name):
    """CloudFormation fails where a queue of the name exists; ministack would empty it.

    https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/troubleshooting.html (resource already exists)
    """
    name, _ = provisioners._sqs_queue_name(props, stack_name, logical_id)
    if sqs._queue_name_to_url.get(name) is not None:
        raise RuntimeError(f"Resource handler returned message: \"Resource of type 'AWS::SQS::Queue' with identifier '{name}' already exists.\"")


def refuse_unreadable_source(logical_id, props, stack_name):
    """Lambda refuses a mapping whose function's role may not poll the queue, or whose function may run longer than the queue hides a message.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-errorhandling.html (visibility timeout)
    """
    function, *_ = provisioners._lambda_function_for_cfn_ref(props.get("FunctionName", ""))
    config = (function or {}).get("config") or {}
    action = refused_poll_action(config.get("Role", ""), props["EventSourceArn"])
    if action is not None:
        raise RuntimeError(f"The function execution role does not have permissions to call {action.partition(':')[2]} on SQS")
    queue = sqs._queue_by_arn(props["EventSourceArn"]) or {}
    visibility, timeout = int(queue["attributes"]["VisibilityTimeout"]), int(config.get("Timeout", 3))
    if visibility < timeout:
        raise RuntimeError(f"Queue visibility timeout: {visibility} seconds is less than Function timeout: {timeout} seconds")


def refuse_attached_policy(physical_id, props):
    """IAM refuses to delete a managed policy that is attached to something.

    https://docs.aws.amazon.com/IAM/latest/APIReference/API_DeletePolicy.html (DeleteConflict)
    """
    attached = [
        *(name for name, user in iam._users.items() if physical_id in user.get("AttachedPolicies", [])),
        *(name for name, role in iam._roles.items() if physical_id in role.get("AttachedPolicies", [])),
    ]
    if attached:
        raise RuntimeError("Cannot delete a policy attached to entities. (Service: Iam, Status Code: 409, DeleteConflict)")


def large_batches():
    """A mapping of a standard queue takes up to 10,000 records; ministack stops at ten.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html (batch size)
    """
    receive = sqs._receive_messages_for_esm

    def corrected(queue_url, max_number):
        batch = []
        while len(batch) < max_number:
            more = receive(queue_url, max_number - len(batch))
            batch += more
            if not more or sqs._get_q(queue_url)["is_fifo"]:
                break
        return batch

    sqs._receive_messages_for_esm = corrected


def receives_of_one_queue():
    """maxReceiveCount counts the receives from the source queue; ApproximateReceiveCount those from all queues.

    ministack moves a dead letter on from its dead-letter queue at once, because it was received so often before.
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-dead-letter-queues.html (maxReceiveCount)
    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/APIReference/API_ReceiveMessage.html (ApproximateReceiveCount)
    """
    sweep = sqs._dlq_sweep

    def corrected(queue):
        before = list(queue["messages"])
        for message in before:
            message["receive_count"] -= message.get("received_elsewhere", 0)
        sweep(queue)
        for message in before:
            message["receive_count"] += message.get("received_elsewhere", 0)
        kept = {id(message) for message in queue["messages"]}
        moved = {message["id"]: message["receive_count"] for message in before if id(message) not in kept}
        if not moved:
            return
        target = sqs._queue_by_arn(json.loads(queue["attributes"]["RedrivePolicy"])["deadLetterTargetArn"])
        for message in target["messages"]:
            if message["id"] in moved:
                message["receive_count"] = message["received_elsewhere"] = moved[message["id"]]

    sqs._dlq_sweep = corrected


def environments_end_alone():
    """An environment that ends while it starts is one that has crashed; ministack ends all others of the function with it.

    https://docs.aws.amazon.com/lambda/latest/dg/lambda-runtime-environment.html (failures during the Init phase)
    """
    invoke = lambda_runtime.Worker.invoke

    def corrected(self, *args, **kwargs):
        try:
            return invoke(self, *args, **kwargs)
        except RuntimeError as error:
            if "exited immediately" not in str(error):
                raise
            self._proc = None
            return {"status": "error", "error": "Runtime.ExitError"}

    lambda_runtime.Worker.invoke = corrected


def polls_end_with_their_client(app):
    """A long poll whose client has gone takes no message; ministack lets it take one, up to 20 s later, and hides it.

    No page of AWS says so; every consumer that restarts rests on it.
    """

    async def corrected(scope, receive, send):
        target = dict(scope.get("headers", [])).get(b"x-amz-target", b"")
        if target != b"AmazonSQS.ReceiveMessage":
            return await app(scope, receive, send)
        parts = [await receive()]
        while parts[-1].get("more_body"):
            parts.append(await receive())
        waiting = iter(parts)

        async def replay():
            return next(waiting, None) or await asyncio.Future()

        answer = asyncio.create_task(app(scope, replay, send))
        gone = asyncio.create_task(receive())
        await asyncio.wait({answer, gone}, return_when=asyncio.FIRST_COMPLETED)
        for task in (answer, gone):
            task.cancel()
        await asyncio.gather(answer, gone, return_exceptions=True)

    return corrected


def end_with_parent():
    """Ends the functions too: all are in one process group."""
    sys.stdin.read()
    os.killpg(0, signal.SIGKILL)


threading.Thread(target=end_with_parent, daemon=True).start()
correct_rights()
large_batches()
receives_of_one_queue()
environments_end_alone()
wrap("AWS::SQS::Queue", "create", refuse_existing_queue)
wrap("AWS::Lambda::EventSourceMapping", "create", refuse_unreadable_source)
wrap("AWS::IAM::ManagedPolicy", "delete", refuse_attached_policy)
ministack.app.app = polls_end_with_their_client(ministack.app.app)
# It would answer on 443 too, for the sake of Cognito.
ministack.app._port_is_bindable = lambda *_: False
hypercorn.config.Config._insecure_bind = [f"127.0.0.1:{os.environ['PLAIN_HTTP_PORT']}"]
ministack.app.main()
