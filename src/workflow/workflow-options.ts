import type { WorkflowContext } from '@dudousxd/durable-worker';
import { ConfigurationError } from '../errors.ts';
import { CHANNEL_RULES, type ChannelOptions, channelOptions, type MetricsOption } from '../lambda/step-handler-options.ts';
import { aBoolean, aFunction, anInteger, checkOptions, type OptionRule } from '../options.ts';
import { kindOf } from '../wire/json.ts';
import type { WorkflowFunction, Workflows } from './run-turn.ts';

/** Options of `sqsWorkflowHandler`. Each may be left out. */
export interface WorkflowHandlerOptions extends ChannelOptions, MetricsOption {
  /**
   * How long before the end of an invocation work stops, so that what there is can still be sent. At most half of the
   * time that the invocation has.
   * @default measured: a few times what sending decisions has been costing, 250 to 5,000, a quarter of the time at most
   */
  readonly deadlineReserveMs?: number;
}

/** A workflow as it is written: context and input in, output (JSON) out. */
export type TypedWorkflow<Input, Output> = (ctx: WorkflowContext, input: Input) => Output | Promise<Output>;

/** Workflows by name, and each by version. */
export type WorkflowsByVersion<Inputs> = {
  readonly [Name in keyof Inputs]: { readonly [Version in string]: TypedWorkflow<Inputs[Name], unknown> };
};

const WHERE = 'sqsWorkflowHandler';
const OPTION_RULES: Readonly<Record<string, OptionRule>> = { ...CHANNEL_RULES, metrics: aBoolean, deadlineReserveMs: anInteger(1) };

/** Both forms of arguments, checked: `(name, version, fn, options)` and `({ name: { version: fn } }, options)`. */
export function readWorkflowArguments(given: readonly unknown[], env: NodeJS.ProcessEnv) {
  const [first, second, third, fourth] = given;
  if (typeof first !== 'string') return { workflows: readWorkflows(first), options: readOptions(second, env) };
  checkName('workflow', first);
  return { workflows: new Map([[first, new Map([readVersion(first, second, third)])]]), options: readOptions(fourth, env) };
}

function readOptions(given: unknown = {}, env: NodeJS.ProcessEnv) {
  checkOptions(WHERE, given, OPTION_RULES);
  const options: WorkflowHandlerOptions = given;
  return { ...options, ...channelOptions(WHERE, options, env) };
}

function readWorkflows(given: unknown): Workflows {
  return new Map(entriesOf('an object of workflows', given).map(([name, versions]) => [name, readVersions(name, versions)]));
}

function readVersions(name: string, given: unknown): ReadonlyMap<string, WorkflowFunction> {
  checkName('workflow', name);
  return new Map(entriesOf(`workflow "${name}" to be an object of versions`, given).map(([version, fn]) => readVersion(name, version, fn)));
}

function readVersion(name: string, version: unknown, fn: unknown): [version: string, fn: WorkflowFunction] {
  checkName(`version of workflow "${name}"`, version);
  if (!isWorkflowFunction(fn)) {
    throw new ConfigurationError(`${WHERE}: expected the function of workflow "${name}", version "${version}", got ${kindOf(fn)}`);
  }
  return [version, fn];
}

function checkName(what: string, name: unknown): asserts name is string {
  if (typeof name === 'string' && name !== '') return;
  throw new ConfigurationError(`${WHERE}: expected the name of a ${what} to be a non-empty string, got ${kindOf(name)}`);
}

function entriesOf(expected: string, given: unknown): [string, unknown][] {
  if (typeof given !== 'object' || given === null || Array.isArray(given)) {
    throw new ConfigurationError(`${WHERE}: expected ${expected}, got ${kindOf(given)}`);
  }
  const entries = Object.entries(given);
  if (entries.length === 0) throw new ConfigurationError(`${WHERE}: expected ${expected}, got an empty one`);
  return entries;
}

// What a workflow accepts is between its author and whoever starts it: here a function is a function.
function isWorkflowFunction(value: unknown): value is WorkflowFunction {
  return aFunction.accepts(value);
}
