/** The peer's worker over Redis, in a process of its own. */
import { openBullMQ } from '../../test/postgres/database/open-bullmq.mjs';
import { ECHO_STEP, echoStep } from '../peers/echo-step.ts';
import { type Fields, numberOf, textOf } from './fields.ts';
import { serveCommands } from './serve-commands.ts';

/** As many steps at a time as the worker on Lambda is given: five batches of ten. */
const CONCURRENCY = 50;

function open(fields: Fields): Fields {
  const transport = openBullMQ({ port: numberOf(fields, 'redisPort'), prefix: textOf(fields, 'prefix'), concurrency: CONCURRENCY });
  transport.handle(ECHO_STEP, echoStep(numberOf(fields, 'workMs')));
  return {};
}

serveCommands({ open });
