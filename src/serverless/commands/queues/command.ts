import { queuePlan } from '../../queue-plan.ts';
import { CONNECTION_OPTIONS, openSqs, sqsEndpoint } from '../aws/connect.ts';
import { findQueue } from '../aws/queue-depth.ts';
import type { Command } from '../command.ts';
import { flagOption } from '../options.ts';
import { table } from '../output/table.ts';
import { counted } from '../output/text.ts';

/** `sls durable queues`: name, URL and depth of every queue of the service. Exits 1 where one does not exist. */
export const queuesCommand: Command = {
  usage: 'Show name, depth and URL of every queue of the service',
  options: CONNECTION_OPTIONS,

  async run(context) {
    const endpoint = sqsEndpoint(context);
    const sqs = openSqs(context);
    try {
      const rows = await Promise.all(
        queuePlan(context.service()).map(async ({ name, kind, token }) => {
          const found = await findQueue(sqs, name);
          return {
            name,
            kind,
            step: token ?? null,
            url: found === undefined ? null : endpoint === undefined ? found.url : urlAt(endpoint, found.url),
            ...(found?.depth ?? { visible: null, inFlight: null, delayed: null }),
          };
        }),
      );
      if (flagOption(context.options, 'json')) context.write(`${JSON.stringify(rows, undefined, 2)}\n`);
      else {
        const cells = rows.map(({ name, visible, inFlight, delayed, url }) => [
          name,
          visible ?? '-',
          inFlight ?? '-',
          delayed ?? '-',
          url ?? '(does not exist)',
        ]);
        context.write(table(['queue', 'visible', 'in flight', 'delayed', 'url'], cells, context.columns));
      }
      const missing = rows.filter(({ url }) => url === null).length;
      if (missing > 0) {
        const where = `missing in region ${context.region}`;
        context.writeError(`${counted(missing, 'queue')} of ${rows.length} ${where}: deploy the service first.\n`);
        context.setExitCode(1);
      }
    } finally {
      sqs.destroy();
    }
  },
};

/** The queue's URL at the endpoint: the host that an emulator puts into its queue URLs may not resolve. */
function urlAt(endpoint: string, queueUrl: string): string {
  return new URL(new URL(queueUrl).pathname, endpoint).href;
}
