import type { Context, SQSEvent } from 'aws-lambda';

type Handler = (event: SQSEvent, context: Context) => Promise<unknown>;

/** What happened to the records that the demo's functions were invoked with. */
export interface Deliveries {
  records: number;
  /** Records that SQS had delivered before. */
  redelivered: number;
}

/**
 * A function whose process is killed now and then: after its results were sent, before Lambda could delete the
 * messages. SQS delivers them again, the steps run again, and the engine must take no result twice.
 */
export function withKills(handler: Handler, deliveries: Deliveries, killEvery: number): Handler {
  let invocations = 0;
  return async (event, context) => {
    invocations += 1;
    const again = event.Records.filter((record) => Number(record.attributes.ApproximateReceiveCount) > 1).length;
    deliveries.records += event.Records.length;
    deliveries.redelivered += again;
    const response = await handler(event, context);
    if (again === 0 && invocations % killEvery === 0) throw new Error('killed after its results were sent (part of the demo)');
    return response;
  };
}
