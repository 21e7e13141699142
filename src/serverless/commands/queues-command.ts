import { openSqs } from './connect.ts';
import type { CommandContext } from './context.ts';
import { lookAt } from './depth.ts';
import { flagOption } from './options.ts';
import { queuePlan } from './queue-plan.ts';
import { counted, table } from './table.ts';

/** `sls durable queues`: name, URL and depth of every queue of the service. Exits 1 where one does not exist. */
export async function queuesCommand(context: CommandContext): Promise<void> {
  const plan = queuePlan(context.service());
  const sqs = openSqs(context);
  try {
    const rows = await Promise.all(
      plan.map(async ({ name, kind, token }) => {
        const found = await lookAt(sqs, name);
        return {
          name,
          kind,
          step: token ?? null,
          url: found?.url ?? null,
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
