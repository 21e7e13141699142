import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SqsRequestError } from '../../../errors.ts';
import { CONNECTION_OPTIONS, openEvents, openLambda, openSqs, sqsEndpoint } from '../aws/connect.ts';
import type { Command } from '../command.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption, integerOption, secondsOption, textOption } from '../options.ts';
import { counted } from '../output/text.ts';
import { type Finding, sorted } from './finding.ts';
import { readLiveService } from './live-service.ts';
import { nextDeployment } from './next-deployment.ts';
import { judge } from './rules/index.ts';
import { readTemplate } from './template.ts';

const TEMPLATE = 'cloudformation-template-update-stack.json';
/** `concurrency` of `sqsStepHandler` by default. */
const HANDLER_CONCURRENCY = 10;

/**
 * `sls durable doctor`: finds mistakes in the packaged template and on AWS. Exits 1 on an error, with `--strict` on a
 * warning too.
 */
export const doctorCommand: Command = {
  usage: 'Find mistakes in the packaged template and in the queues and mappings on AWS; exits 1 on an error (--strict: or a warning)',
  options: {
    package: { usage: 'Folder of the packaged service (default: .serverless)', type: 'string' },
    template: { usage: 'A CloudFormation template in JSON to examine instead', type: 'string' },
    offline: { usage: 'Examine the template only', type: 'boolean' },
    live: { usage: 'Fail where AWS cannot be asked', type: 'boolean' },
    strict: { usage: 'Exit 1 on a warning too', type: 'boolean' },
    'engine-prefix': { usage: 'The prefix of the engine (with its namespace: prefix-namespace)', type: 'string' },
    'step-seconds': { usage: 'Seconds that a step takes: checks that a whole batch fits into the timeout', type: 'string' },
    concurrency: { usage: `Steps that the handler runs at the same time (default: ${HANDLER_CONCURRENCY})`, type: 'string' },
    ...CONNECTION_OPTIONS,
  },

  async run(context) {
    const { options } = context;
    const offline = flagOption(options, 'offline');
    if (offline && flagOption(options, 'live')) throw new CommandError('expected --offline or --live, got both');
    const settings = {
      stepSeconds: secondsOption(options, 'step-seconds'),
      handlerConcurrency: integerOption(options, 'concurrency', 1, 10_000) ?? HANDLER_CONCURRENCY,
      prefix: context.service().prefix,
      enginePrefix: textOption(options, 'engine-prefix'),
    };
    const examination: Examination = { examined: [], notes: [], findings: [] };
    const file = templateFile(context);
    if (existsSync(file)) {
      examination.findings.push(...judge(readTemplate(file, settings.prefix), settings));
      examination.examined.push(file);
    } else {
      const remedy = '"serverless package" makes one, --package DIR or --template FILE says where it is';
      examination.notes.push(`no packaged template at ${file}: ${remedy}`);
    }
    if (!offline) await examineLive(context, settings, examination);
    if (!offline && existsSync(file)) {
      const { findings, problem } = await nextDeployment(context, readTemplate(file, settings.prefix));
      examination.findings.push(...findings);
      if (problem !== undefined) examination.notes.push(`what the next deployment deletes was not examined: ${problem}`);
    }
    if (examination.examined.length === 0) throw new CommandError(`nothing to examine: ${examination.notes.join('; ')}`);
    report(context, examination);
  },
};

/** What doctor has examined, what it could not examine, and what it found. */
interface Examination {
  readonly examined: string[];
  readonly notes: string[];
  readonly findings: Finding[];
}

function templateFile({ options, serviceDir }: CommandContext): string {
  const template = textOption(options, 'template');
  if (template === undefined) return join(resolve(serviceDir, textOption(options, 'package') ?? '.serverless'), TEMPLATE);
  const file = resolve(serviceDir, template);
  if (!existsSync(file)) throw new CommandError(`--template: there is no file ${file}`);
  return file;
}

async function examineLive(context: CommandContext, settings: Parameters<typeof judge>[1], examination: Examination): Promise<void> {
  try {
    const { facts, findings, where, notes } = await readLive(context);
    examination.findings.push(...judge(facts, settings), ...findings);
    examination.examined.push(where);
    examination.notes.push(...notes);
  } catch (error) {
    // Without credentials only the template can be judged. --live asked for more, so there it is an error.
    if (flagOption(context.options, 'live') || !(error instanceof SqsRequestError)) throw error;
    examination.notes.push(`queues and mappings on AWS were not examined: ${error.message}`);
  }
}

async function readLive(context: CommandContext) {
  const sqs = openSqs(context);
  const connection = openLambda(context);
  const events = openEvents(context);
  try {
    const live = await readLiveService(context.service(), sqs, connection, events);
    const { lambdaProblem, listProblem, scheduleProblem } = live;
    // --live asked for mappings and functions, too.
    if (lambdaProblem instanceof Error && flagOption(context.options, 'live')) throw lambdaProblem;
    const why = lambdaProblem instanceof Error ? lambdaProblem.message : lambdaProblem;
    const notes = why === undefined ? [] : [`mappings and functions were not examined: ${why}`];
    if (scheduleProblem !== undefined) notes.push(`the schedule of the engine was not examined: ${scheduleProblem}`);
    if (listProblem !== undefined) notes.push(`queues of removed steps and other prefixes were not looked for: ${listProblem.message}`);
    return { ...live, where: sqsEndpoint(context) ?? `AWS, ${context.region}`, notes };
  } finally {
    sqs.destroy();
    if ('lambda' in connection) connection.lambda.destroy();
    if ('events' in events) events.events.destroy();
  }
}

function report(context: CommandContext, { examined, notes, findings: found }: Examination): void {
  const findings = sorted(found);
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (flagOption(context.options, 'json')) {
    context.write(`${JSON.stringify({ examined, notes, findings }, undefined, 2)}\n`);
  } else {
    for (const { id, severity, where, why, fix } of findings) {
      context.write(`${severity}  ${id}\n  where  ${where}\n  why    ${why}\n  fix    ${fix}\n\n`);
    }
    for (const note of notes) context.writeError(`note: ${note}\n`);
    context.write(`${examined.join(', ')}: ${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}\n`);
  }
  const failing = flagOption(context.options, 'strict') ? findings.length : errors;
  if (failing > 0) context.setExitCode(1);
}
