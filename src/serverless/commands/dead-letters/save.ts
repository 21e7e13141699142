import { extname, relative, resolve } from 'node:path';
import type { SQSRecord } from 'aws-lambda';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { writeJsonFile } from '../output/json-file.ts';
import { counted } from '../output/text.ts';
import { idNotFound, reportUnfinished, type Selection, visitSelected } from './selection.ts';
import { replayRecord } from './task-again.ts';

/**
 * Writes the messages as event files for `sls invoke local`, one per function, and leaves them in their queues. The
 * messages of a step that a container serves have a file of their own, which no command reads.
 */
export async function saveDeadLetters(context: CommandContext, sqs: AdminSqs, selection: Selection, file: string): Promise<void> {
  const { options, serviceDir, region } = context;
  const byServer = new Map<string, { readonly functionKey: string | undefined; readonly records: SQSRecord[] }>();
  const unfinished = await visitSelected(context, sqs, selection, ({ message, queues: { step, tasksQueue, tasksUrl } }) => {
    const functionKey = step.function?.functionKey;
    const server = functionKey ?? tasksQueue;
    const saved = byServer.get(server) ?? { functionKey, records: [] };
    saved.records.push(replayRecord(message, tasksUrl, region));
    byServer.set(server, saved);
    return 'kept';
  });

  const saved = [...byServer].map(([server, { functionKey, records }]) => {
    const path = resolve(serviceDir, byServer.size === 1 ? file : fileOf(file, server));
    // The inputs of steps: for the user's eyes only.
    writeJsonFile('--save', path, { Records: records }, { private: true });
    return { file: relative(serviceDir, path), function: functionKey ?? null, records: records.length };
  });
  if (flagOption(options, 'json')) context.write(`${JSON.stringify(saved, undefined, 2)}\n`);
  for (const { file: path, function: functionKey, records } of saved) {
    if (!flagOption(options, 'json')) context.write(`${path}: ${counted(records, 'record')}\n`);
    const hint = `try it: serverless invoke local -f ${functionKey} -p ${path}`;
    context.writeError(functionKey === null ? `${path}: no function of this service receives these messages\n` : `${hint}\n`);
  }
  reportUnfinished(context, unfinished);
  if (saved.length === 0) {
    context.writeError(`${idNotFound(selection) ?? 'nothing to save: no parked message is visible now.'}\n`);
    context.setExitCode(1);
  }
}

/** `events/x.json` → `events/x.chargeCard.json`. */
function fileOf(file: string, server: string): string {
  const extension = extname(file);
  return `${extension === '' ? file : file.slice(0, -extension.length)}.${server}${extension === '' ? '.json' : extension}`;
}
