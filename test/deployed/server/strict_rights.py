"""Rights as IAM, KMS and Lambda check them, where ministack does otherwise; and a book of who has called what: see note_call.

Each correction names the page of AWS. strict_ministack.py applies them.
"""

import json
import os

from ministack.core import iam_actions, iam_evaluator
from ministack.core.responses import get_account_id, get_region
from ministack.services import lambda_svc, sqs


def single_actions():
    """IAM has no batch actions: SendMessageBatch needs sqs:SendMessage. GetFunctionConcurrency has an action of its own.

    https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazonsqs.html
    https://docs.aws.amazon.com/service-authorization/latest/reference/list_awslambda.html
    """
    extract = iam_actions.extract_iam_action

    def corrected(service, method, path, headers, body, query_params):
        action = extract(service, method, path, headers, body, query_params)
        if action == "lambda:PutFunctionConcurrency" and method == "GET":
            return "lambda:GetFunctionConcurrency"
        if action is not None and action.startswith("sqs:"):
            return action.removesuffix("Batch")
        return action

    # ministack.app imports the name anew for each request.
    iam_actions.extract_iam_action = corrected


def keys_need_rights():
    """Whoever sends to a queue with a KMS key needs kms:GenerateDataKey and kms:Decrypt; whoever receives, kms:Decrypt.

    SQS calls KMS on their behalf, so the request says which service it came by.

    https://docs.aws.amazon.com/AWSSimpleQueueService/latest/SQSDeveloperGuide/sqs-key-management.html
    https://docs.aws.amazon.com/kms/latest/developerguide/conditions-kms.html#conditions-kms-via-service
    """
    needed = {
        "sqs:SendMessage": ("kms:GenerateDataKey", "kms:Decrypt"),
        "sqs:ReceiveMessage": ("kms:Decrypt",),
    }
    enforce = iam_evaluator.enforce

    def corrected(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        if denied is not None or iam_action not in needed:
            return denied
        queue = sqs._queue_by_arn(resource_arn)
        key = (queue or {}).get("attributes", {}).get("KmsMasterKeyId")
        for action in needed[iam_action] if key else ():
            denied = denied or enforce(access_key_id, action, "kms", region, key, {"kms:ViaService": f"sqs.{region}.amazonaws.com"})
        return denied

    iam_evaluator.enforce = corrected


noted = set()


def note_call(caller, action, resource, allowed):
    """Writes to the file CALLS_FILE, once each, which role or user called what on which resource."""
    kind, *names = caller.rsplit(":", 1)[-1].split("/")
    call = ({"assumed-role": "role"}.get(kind, kind), names[0] if names else "", action, resource, allowed)
    if call in noted:
        return
    noted.add(call)
    with open(os.environ["CALLS_FILE"], "a") as calls:
        calls.write(json.dumps(dict(zip(("kind", "name", "action", "resource", "allowed"), call))) + "\n")


def watch_rights():
    enforce = iam_evaluator.enforce

    def watched(access_key_id, iam_action, service, region, resource_arn="*", service_context=None):
        denied = enforce(access_key_id, iam_action, service, region, resource_arn, service_context)
        note_call(iam_evaluator.caller_arn(), iam_action, resource_arn, denied is None)
        return denied

    iam_evaluator.enforce = watched


POLL_ACTIONS = ("sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes")


def refused_poll_action(role, queue_arn):
    """The first action that Lambda's pollers need and that the role of a function does not hold, if any. Noted as calls of the role."""
    policies = iam_evaluator._gather_role_policies(role.rsplit("/", 1)[-1], get_account_id())
    key = (sqs._queue_by_arn(queue_arn) or {}).get("attributes", {}).get("KmsMasterKeyId")
    needed = [(action, queue_arn, {}) for action in POLL_ACTIONS]
    if key:
        needed.append(("kms:Decrypt", key, {"kms:viaservice": f"sqs.{get_region()}.amazonaws.com"}))
    for action, resource, service in needed:
        context = iam_evaluator.EvalContext(role, "AssumedRole", get_account_id(), action, resource, get_region(), service_context=service)
        allowed = iam_evaluator.evaluate(context, policies).decision == "Allow"
        note_call(role, action, resource, allowed)
        if not allowed:
            return action
    return None


def polls_with_the_role():
    """Lambda polls with the function's role, at every poll; ministack with rights of its own once a mapping exists.

    https://docs.aws.amazon.com/lambda/latest/dg/services-sqs-configure.html#events-sqs-permissions
    """
    concurrency = lambda_svc._sqs_esm_concurrency

    def corrected(esm, func_rec, config, queue=None):
        if not (queue or {}).get("messages"):
            return concurrency(esm, func_rec, config, queue)
        role = func_rec["config"]["Role"]
        return 0 if refused_poll_action(role, esm["EventSourceArn"]) else concurrency(esm, func_rec, config, queue)

    lambda_svc._sqs_esm_concurrency = corrected


def correct_rights():
    single_actions()
    # Inside keys_need_rights: what SQS asks of KMS is noted too.
    watch_rights()
    keys_need_rights()
    polls_with_the_role()
