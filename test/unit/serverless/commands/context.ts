import type { AdminLambda, LambdaSettings } from '../../../../src/serverless/commands/aws/admin-lambda.ts';
import type { AdminSqs } from '../../../../src/serverless/commands/aws/admin-sqs.ts';
import type { CommandContext } from '../../../../src/serverless/commands/context.ts';
import type { DurableDeployment } from '../../../../src/serverless/deployment.ts';
import { readDurableService } from '../../../../src/serverless/read-service.ts';

/** What a command did to the terminal. */
export interface Terminal {
  out: string;
  err: string;
  code: number;
  asked: string;
}

export interface TestWorld {
  readonly service: DurableDeployment;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly env?: Readonly<Record<string, string>>;
  readonly region?: string;
  readonly serviceDir?: string;
  /** What whoever sits at the terminal answers; undefined: nobody does. */
  readonly answer?: boolean | undefined;
  readonly openSqs?: CommandContext['openSqs'];
  readonly openLambda?: (settings: LambdaSettings) => AdminLambda | undefined;
  readonly openEvents?: CommandContext['openEvents'];
  readonly openStack?: CommandContext['openStack'];
  readonly openLogs?: CommandContext['openLogs'];
  /** Log groups by function key. */
  readonly logGroups?: Readonly<Record<string, string>>;
  readonly columns?: number;
}

/** A context of commands, and what they write to it. */
export function testContext(world: TestWorld): { readonly context: CommandContext; readonly terminal: Terminal } {
  const terminal: Terminal = { out: '', err: '', code: 0, asked: '' };
  const context: CommandContext = {
    service: () => world.service,
    functionSettings: notCalled,
    logGroups: () => new Map(Object.entries(world.logGroups ?? {})),
    bundlerSettings: notCalled,
    region: world.region ?? 'eu-central-1',
    stage: 'dev',
    stackName: 'shop-dev',
    serviceDir: world.serviceDir ?? '/nowhere',
    options: world.options ?? {},
    env: world.env ?? {},
    columns: world.columns,
    write: (text) => {
      terminal.out += text;
    },
    writeError: (text) => {
      terminal.err += text;
    },
    setExitCode: (code) => {
      terminal.code = code;
    },
    confirm: async (question) => {
      terminal.asked = question;
      return world.answer;
    },
    openSqs: world.openSqs ?? notCalled,
    openLambda: world.openLambda ?? notCalled,
    openLogs: world.openLogs ?? notCalled,
    openEvents: world.openEvents ?? (() => undefined),
    openStack: world.openStack ?? (() => undefined),
    credentials: () => undefined,
    now: () => 61_000,
  };
  return { context, terminal };
}

export function notCalled(): never {
  throw new Error('not called');
}

/** A service of one workflow, whose function is named after it. */
export function workflowService(name: string): DurableDeployment {
  return serviceOf({}, { functions: { [name]: { handler: `${name}.handler`, events: [{ durableWorkflow: name }] } } });
}

/** A service of steps, one function each, which all time out after 30 s. */
export function serviceOf(
  steps: Readonly<Record<string, object | string>>,
  more: { prefix?: string; functions?: object; startRuns?: true; containerSteps?: readonly string[] } = {},
): DurableDeployment {
  const { prefix = 'shop', functions: others, ...settings } = more;
  const functions = Object.entries(steps).map(([key, durableStep]) => [key, { handler: `${key}.handler`, events: [{ durableStep }] }]);
  return readDurableService({
    custom: { durable: { prefix, ...settings } },
    provider: { runtime: 'nodejs24.x', timeout: 30 },
    functions: { ...Object.fromEntries(functions), ...others },
  });
}

/** An SQS of which a test uses only some calls. */
export function adminSqs(calls: Partial<AdminSqs>): AdminSqs {
  return {
    findQueueUrl: notCalled,
    listQueues: notCalled,
    attributes: notCalled,
    createQueue: notCalled,
    receive: notCalled,
    send: notCalled,
    delete: notCalled,
    release: notCalled,
    purge: notCalled,
    destroy() {},
    ...calls,
  };
}
