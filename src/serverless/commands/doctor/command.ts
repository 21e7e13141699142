import { existsSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { SqsRequestError } from '../../../errors.ts';
import { endpointOf, openLambda, openSqs } from '../aws/connect.ts';
import { CommandError } from '../command-error.ts';
import type { CommandContext } from '../context.ts';
import { flagOption, integerOption, secondsOption, textOption } from '../options.ts';
import { counted } from '../output/table.ts';
import type { Finding } from './facts.ts';
import { readLive } from './live.ts';
import { judge, sorted } from './rules/index.ts';
import { readTemplate } from './template.ts';

const TEMPLATE = 'cloudformation-template-update-stack.json';
/** What `sqsStepHandler` runs at the same time by default. */
const HANDLER_CONCURRENCY = 10;

/** `sls durable doctor`: what is wrong with the packaged template and with what is on AWS. Exits 1 on an error, with `--strict` on a warning too. */
export async function doctorCommand(context: CommandContext): Promise<void> {
  const { options } = context;
  const offline = flagOption(options, 'offline');
  if (offline && flagOption(options, 'live')) throw new CommandError('expected --offline or --live, got both');
  const settings = {
    stepSeconds: secondsOption(options, 'step-seconds'),
    handlerConcurrency: integerOption(options, 'concurrency', 1, 10_000) ?? HANDLER_CONCURRENCY,
    prefix: context.service().prefix,
    enginePrefix: textOption(options, 'engine-prefix'),
  };
  const file = templateFile(context);
  const findings: Finding[] = [];
  const looked: string[] = [];
  const notes: string[] = [];
  if (existsSync(file)) {
    findings.push(...judge(readTemplate(file, settings.prefix), settings));
    looked.push(file);
  } else notes.push(`no packaged template at ${file}: "serverless package" makes one, --package DIR or --template FILE says where it is`);

  if (!offline) {
    try {
      const live = await lookLive(context);
      findings.push(...judge(live.facts, settings), ...live.findings);
      looked.push(live.where);
      notes.push(...live.notes);
    } catch (error) {
      // Without credentials the template is all there is to judge; whoever asked for more must hear it.
      if (flagOption(options, 'live') || !isRequestError(error)) throw error;
      notes.push(`queues and mappings on AWS were not looked at: ${error.message}`);
    }
  }
  if (looked.length === 0) throw new CommandError(`nothing to examine: ${notes.join('; ')}`);
  report(context, sorted(findings), looked, notes);
}

function templateFile({ options, serviceDir }: CommandContext): string {
  const template = textOption(options, 'template');
  if (template === undefined) return join(resolve(serviceDir, textOption(options, 'package') ?? '.serverless'), TEMPLATE);
  const file = resolve(serviceDir, template);
  if (!existsSync(file)) throw new CommandError(`--template: there is no file ${file}`);
  return file;
}

async function lookLive(context: CommandContext) {
  const service = context.service();
  const sqs = openSqs(context);
  const lambda = openLambda(context);
  try {
    const live = await readLive(service, sqs, typeof lambda === 'string' ? { unasked: lambda } : { ask: lambda });
    const { lambdaProblem, listProblem } = live;
    // Whoever asked for AWS must hear that half of it could not be looked at.
    if (lambdaProblem instanceof Error && flagOption(context.options, 'live')) throw lambdaProblem;
    const why = lambdaProblem instanceof Error ? lambdaProblem.message : lambdaProblem;
    const notes = why === undefined ? [] : [`mappings and functions were not looked at: ${why}`];
    if (listProblem !== undefined) notes.push(`queues of removed steps and other prefixes were not looked for: ${listProblem.message}`);
    return { ...live, where: endpointOf(context) ?? `AWS, ${context.region}`, notes };
  } finally {
    sqs.destroy();
    if (typeof lambda !== 'string') lambda.destroy();
  }
}

function isRequestError(error: unknown): error is SqsRequestError {
  return error instanceof SqsRequestError;
}

function report(context: CommandContext, findings: readonly Finding[], looked: readonly string[], notes: readonly string[]): void {
  const errors = findings.filter(({ severity }) => severity === 'error').length;
  if (flagOption(context.options, 'json')) context.write(`${JSON.stringify({ looked, notes, findings }, undefined, 2)}\n`);
  else {
    for (const { id, severity, where, why, fix } of findings) {
      context.write(`${severity}  ${id}\n  where  ${where}\n  why    ${why}\n  fix    ${fix}\n\n`);
    }
    for (const note of notes) context.writeError(`note: ${note}\n`);
    context.write(`${looked.join(', ')}: ${counted(errors, 'error')}, ${counted(findings.length - errors, 'warning')}\n`);
  }
  const failing = flagOption(context.options, 'strict') ? findings.length : errors;
  if (failing > 0) context.setExitCode(1);
}
