import { openStack } from '../commands/aws/connect.ts';
import type { CommandContext } from '../commands/context.ts';

/**
 * What an engine must be told of a deployed service, as lines to show after a deployment. Empty where the stack cannot
 * be asked. An engine that is a function of the service knows already.
 */
export async function engineSettings(context: CommandContext): Promise<string[]> {
  const { engine } = context.service();
  if (engine !== undefined) return [`it is the function ${context.functionSettings(engine.function.functionKey).name}`];
  const connection = openStack(context);
  if ('none' in connection) return [];
  const { stack } = connection;
  try {
    const outputs = await stack.outputs();
    const rows: readonly (readonly [label: string, output: string])[] = [
      ['prefix', 'DurablePrefix'],
      ['results queue', 'DurableResultsQueueUrl'],
      ['start queue (startRuns: true)', 'DurableStartRunQueueUrl'],
      ['policy to attach', 'DurableEnginePolicyArn'],
      ['policy of workers in containers', 'DurableWorkerPolicyArn'],
      ['payload bucket', 'DurablePayloadBucketName'],
    ];
    return rows.flatMap(([label, output]) => (outputs[output] === undefined ? [] : [`${label}: ${outputs[output]}`]));
  } catch {
    // The deployment has succeeded; this is a convenience.
    return [];
  } finally {
    stack.destroy();
  }
}
