import { createHash, randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { relative, resolve } from 'node:path';
import type { SQSEvent } from 'aws-lambda';
import { sqsRecord } from '../../../local/sqs-event.ts';
import { messageGroupOfRun } from '../../../topology/message-group.ts';
import { queueArn } from '../../../topology/queue-address.ts';
import { encodeRemoteTask, type RemoteTask } from '../../../wire/remote-task.ts';
import type { DurableStep } from '../../durable-service.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption, integerOption, textOption } from '../options.ts';
import { writeJsonFile } from '../output/json-file.ts';
import { counted } from '../output/table.ts';
import { stepsNamed } from '../steps.ts';

/** `sls durable event`: an event for `sls invoke local`, as Lambda would make it of the engine's tasks. */
export async function eventCommand(context: CommandContext): Promise<void> {
  const { options, serviceDir } = context;
  const step = oneStep(context);
  const event = taskEvent(step, {
    input: inputOf(context),
    runId: textOption(options, 'run-id') ?? `local-${randomUUID()}`,
    stepId: textOption(options, 'step-id'),
    attempt: integerOption(options, 'attempt', 1, Number.MAX_SAFE_INTEGER) ?? 1,
    count: integerOption(options, 'count', 1, 10_000) ?? 1,
    region: context.region,
    now: context.now(),
  });
  const out = textOption(options, 'out');
  if (out === undefined) {
    context.write(`${JSON.stringify(event, undefined, 2)}\n`);
    return;
  }
  const file = resolve(serviceDir, out);
  writeJsonFile('--out', file, event);
  const shown = relative(serviceDir, file);
  const { functionKey } = step.function;
  if (flagOption(options, 'json')) {
    context.write(`${JSON.stringify({ file: shown, function: functionKey, records: event.Records.length })}\n`);
  } else {
    context.write(`${shown}: ${counted(event.Records.length, 'record')}\n`);
    context.writeError(`try it: serverless invoke local -f ${functionKey} -p ${shown}\n`);
  }
}

export interface TaskEventOptions {
  readonly input: unknown;
  readonly runId: string;
  readonly stepId: string | undefined;
  readonly attempt: number;
  /** Tasks in the event; each of a run of its own. */
  readonly count: number;
  readonly region: string;
  /** Milliseconds. */
  readonly now: number;
}

/** The event that the tasks of a step make. */
export function taskEvent(step: DurableStep, options: TaskEventOptions): SQSEvent {
  const { count, runId, now, region } = options;
  const source = { arn: queueArn({ region, account: '000000000000', name: step.queues.tasks }), region };
  const runIds = Array.from({ length: count }, (_, index) => (count === 1 ? runId : `${runId}-${index + 1}`));
  return {
    Records: runIds.map((id, index) => {
      const attributes = { ApproximateReceiveCount: '1', SentTimestamp: String(now), ApproximateFirstReceiveTimestamp: String(now) };
      const body = encodeRemoteTask(task(step, id, options));
      const message = {
        MessageId: randomUUID(),
        // Not a real one: SQS would refuse it, so no message of a live queue is ever touched by a replay.
        ReceiptHandle: 'made-by-serverless-durable-event',
        Body: body,
        MD5OfBody: createHash('md5').update(body).digest('hex'),
        Attributes: step.fifo ? { ...attributes, ...fifoAttributes(id, index) } : attributes,
      };
      return sqsRecord(message, source);
    }),
  };
}

function task(step: DurableStep, runId: string, { input, attempt, stepId }: TaskEventOptions): RemoteTask {
  return { runId, seq: 0, name: step.name, stepId: stepId ?? `${runId}:0`, group: step.token, input, attempt };
}

function fifoAttributes(runId: string, index: number) {
  return {
    MessageGroupId: messageGroupOfRun(runId),
    MessageDeduplicationId: randomUUID(),
    SequenceNumber: String(index + 1).padStart(20, '0'),
  };
}

function oneStep(context: CommandContext): DurableStep {
  const { options } = context;
  const name = textOption(options, 'step');
  if (name === undefined) throw new CommandError('expected --step, the name of a step');
  const found = stepsNamed(context.service(), name, textOption(options, 'partition'));
  // Without --partition the step that has none is meant: nothing else could name it.
  const step = found.find(({ partition }) => partition === undefined) ?? found[0];
  if (step === undefined) throw new CommandError(`--step: no step "${name}" in this service`);
  if (step.partition !== undefined && found.length > 1) {
    const partitions = found.map(({ partition }) => partition).join(', ');
    throw new CommandError(`--step: "${name}" has several partitions; give --partition, one of ${partitions}`);
  }
  return step;
}

function inputOf({ options, serviceDir }: CommandContext): unknown {
  const text = textOption(options, 'input');
  const file = textOption(options, 'input-file');
  if (text !== undefined && file !== undefined) throw new CommandError('expected --input or --input-file, got both');
  if (file !== undefined) return parsed('--input-file', readInput(resolve(serviceDir, file)));
  if (text === undefined) throw new CommandError(`expected --input '{"…"}' or --input-file, the step's input as JSON`);
  return parsed('--input', text);
}

function readInput(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    throw new CommandError(`--input-file: cannot read ${file}`, { cause: error });
  }
}

function parsed(option: string, text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The parser's own message quotes the text.
    throw new CommandError(`${option}: expected JSON, got ${Buffer.byteLength(text)} bytes that do not parse`);
  }
}
