import { endpointOf, openSqs } from '../aws/connect.ts';
import { lookAt } from '../aws/queue-depth.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { counted, table } from '../output/table.ts';
import { queuePlan } from '../queue-plan.ts';

/** `sls durable queues`: name, URL and depth of every queue of the service. Exits 1 where one does not exist. */
export async function queuesCommand(context: CommandContext): Promise<void> {
  const plan = queuePlan(context.service());
  const endpoint = endpointOf(context);
  const sqs = openSqs(context);
  try {
    const rows = await Promise.all(
      plan.map(async ({ name, kind, token }) => {
        const found = await lookAt(sqs, name);
        return {
          name,
          kind,
          step: token ?? null,
          url: found === undefined ? null : endpoint === undefined ? found.url : urlAt(endpoint, found.url),
          ...(found?.depth ?? { visible: null, inFlight: null, delayed: null }),
        };
      }),
    );
    const missing = rows.filter(({ url }) => url === null);
    if (flagOption(context.options, 'json')) context.write(`${JSON.stringify(rows, undefined, 2)}\n`);
    else {
      context.write(
        table(
          ['queue', 'visible', 'in flight', 'delayed', 'url'],
          rows.map(({ name, visible, inFlight, delayed, url }) => [
            name,
            visible ?? '-',
            inFlight ?? '-',
            delayed ?? '-',
            url ?? '(does not exist)',
          ]),
        ),
      );
    }
    if (missing.length > 0) {
      context.writeError(
        `${counted(missing.length, 'queue')} of ${rows.length} missing in region ${context.region}: deploy the service first.\n`,
      );
      context.setExitCode(1);
    }
  } finally {
    sqs.destroy();
  }
}

/** The host that an emulator puts into its queue URLs does not always resolve; the one it was asked at does. */
function urlAt(endpoint: string, queueUrl: string): string {
  return new URL(new URL(queueUrl).pathname, endpoint).href;
}
