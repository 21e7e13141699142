import { missingInstalls, namesHandler, nextSteps, writeQuickStart } from '../../init/quick-start.ts';
import type { Command } from '../command.ts';
import { flagOption } from '../options.ts';

/**
 * `sls durable init`: writes the files of the quick start. In a folder without serverless.yml `npx durable-sqs-lambda
 * init` does.
 */
export const initCommand: Command = {
  usage:
    'Write the files of the quick start that are missing: service, handler, engine, event. Without a serverless.yml: npx durable-sqs-lambda init',
  options: {},

  async run({ serviceDir, options, write }) {
    const files = writeQuickStart(serviceDir);
    const installs = missingInstalls(serviceDir);
    const text = () => nextSteps(files, installs, namesHandler(serviceDir));
    write(flagOption(options, 'json') ? `${JSON.stringify({ files, installs }, undefined, 2)}\n` : text());
  },
};
