"""The published `amazon-sqs-extended-client`: `extended.py send|send-legacy|receive <queue url> <bucket>`.

`send` takes the body from stdin. `receive` gives the body of one message as JSON, and deletes the message and its object.
"""

import json
import sys

from sqs_extended_client import SQSExtendedClientSession

what, queue_url, bucket = sys.argv[1:]
client = SQSExtendedClientSession().client("sqs")
client.large_payload_support = bucket

if what == "receive":
    (message,) = client.receive_message(QueueUrl=queue_url, WaitTimeSeconds=5, MessageAttributeNames=["All"])["Messages"]
    client.delete_payload_from_s3 = True
    client.delete_message(QueueUrl=queue_url, ReceiptHandle=message["ReceiptHandle"])
    json.dump({"body": message["Body"], "attributes": message.get("MessageAttributes", {})}, sys.stdout)
else:
    client.use_legacy_attribute = what == "send-legacy"
    client.always_through_s3 = True
    client.send_message(QueueUrl=queue_url, MessageBody=sys.stdin.read())
