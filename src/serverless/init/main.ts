#!/usr/bin/env node
import { nodeProblem } from '../node-version.ts';
import { missingInstalls, namesHandler, nextSteps, writeQuickStart } from './quick-start.ts';

// `npx durable-sqs-lambda init`: `sls durable init` for a folder that has no serverless.yml, where the deploy tool
// loads no plugin.
const tooOld = nodeProblem(process.versions.node);
if (tooOld !== undefined || process.argv[2] !== 'init' || process.argv.length !== 3) {
  process.stderr.write(`${tooOld ?? 'usage: npx durable-sqs-lambda init (the other commands are those of "npx sls durable")'}\n`);
  process.exitCode = 1;
} else {
  const folder = process.cwd();
  const files = writeQuickStart(folder);
  process.stdout.write(nextSteps(files, missingInstalls(folder), namesHandler(folder)));
}
