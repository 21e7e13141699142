import { extname, relative, resolve } from 'node:path';
import type { SQSRecord } from 'aws-lambda';
import type { AdminSqs } from '../aws/admin-sqs.ts';
import type { CommandContext } from '../context.ts';
import { flagOption } from '../options.ts';
import { writeJsonFile } from '../output/json-file.ts';
import { counted } from '../output/text.ts';
import { idNotFound, reportUnfinished, type Selection, visitSelected } from './selection.ts';
import { replayRecord } from './task-again.ts';

/** Writes the messages as event files for `sls invoke local`, one per function, and leaves them in their queues. */
export async function saveDeadLetters(context: CommandContext, sqs: AdminSqs, selection: Selection, file: string): Promise<void> {
  const { options, serviceDir, region } = context;
  const byFunction = new Map<string, SQSRecord[]>();
  const unfinished = await visitSelected(context, sqs, selection, ({ message, queues: { step, tasksUrl } }) => {
    const { functionKey } = step.function;
    const records = byFunction.get(functionKey) ?? [];
    records.push(replayRecord(message, tasksUrl, region));
    byFunction.set(functionKey, records);
    return 'kept';
  });

  const saved = [...byFunction].map(([functionKey, Records]) => {
    const path = resolve(serviceDir, byFunction.size === 1 ? file : fileOfFunction(file, functionKey));
    // The inputs of steps: for the user's eyes only.
    writeJsonFile('--save', path, { Records }, { private: true });
    return { file: relative(serviceDir, path), function: functionKey, records: Records.length };
  });
  if (flagOption(options, 'json')) context.write(`${JSON.stringify(saved, undefined, 2)}\n`);
  for (const { file: path, function: functionKey, records } of saved) {
    if (!flagOption(options, 'json')) context.write(`${path}: ${counted(records, 'record')}\n`);
    context.writeError(`try it: serverless invoke local -f ${functionKey} -p ${path}\n`);
  }
  reportUnfinished(context, unfinished);
  if (saved.length === 0) {
    context.writeError(`${idNotFound(selection) ?? 'nothing to save: no parked message is visible now.'}\n`);
    context.setExitCode(1);
  }
}

/** `events/x.json` → `events/x.chargeCard.json`. */
function fileOfFunction(file: string, functionKey: string): string {
  const extension = extname(file);
  return `${extension === '' ? file : file.slice(0, -extension.length)}.${functionKey}${extension === '' ? '.json' : extension}`;
}
