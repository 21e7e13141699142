import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import type { DurableDeployment } from '../deployment.ts';
import type { AdminEvents, EventsSettings } from './aws/admin-events.ts';
import type { AdminLambda, LambdaSettings } from './aws/admin-lambda.ts';
import type { AdminLogs } from './aws/admin-logs.ts';
import type { AdminSqs } from './aws/admin-sqs.ts';
import type { AdminStack, StackSettings } from './aws/admin-stack.ts';

/** All that a command sees of the deploy tool, the terminal and AWS, so that tests need none of them. */
export interface CommandContext {
  /** What serverless.yml says. @throws ConfigurationError where it has mistakes */
  service(): DurableDeployment;
  /** What a function has besides its mappings. */
  functionSettings(functionKey: string): FunctionSettings;
  /** Where each function of the service logs, by function key: names of log groups in CloudWatch Logs. */
  logGroups(): ReadonlyMap<string, string>;
  /** `custom.esbuild`, as it stands there. */
  bundlerSettings(): unknown;
  readonly region: string;
  readonly stage: string;
  /** Of the service in this stage. */
  readonly stackName: string;
  readonly serviceDir: string;
  /** Options of the command line as the deploy tool parsed them; null or undefined where one was not given. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Width of the terminal that stdout is; undefined where it is none. */
  readonly columns: number | undefined;
  /** Writes the command's answer to stdout. The text brings its own line feeds. */
  write(text: string): void;
  /** Writes progress, hints and warnings to stderr. */
  writeError(text: string): void;
  setExitCode(code: number): void;
  /** Asks a yes-or-no question; undefined where stdin is no terminal. */
  confirm(question: string): Promise<boolean | undefined>;
  openSqs(config: SQSClientConfig): AdminSqs;
  /** Undefined where the SDK's Lambda client is not installed. */
  openLambda(settings: LambdaSettings): AdminLambda | undefined;
  /** Undefined where the SDK's CloudWatch Logs client is not installed. */
  openLogs(settings: LambdaSettings): AdminLogs | undefined;
  /** Undefined where the SDK's EventBridge client is not installed. */
  openEvents(settings: EventsSettings): AdminEvents | undefined;
  /** Undefined where the SDK's CloudFormation client is not installed. */
  openStack(settings: StackSettings): AdminStack | undefined;
  /** Credentials that the deploy tool found (`--aws-profile` included); undefined: the SDK's own default chain. */
  credentials(): SQSClientConfig['credentials'] | undefined;
  /** Milliseconds since the epoch. */
  now(): number;
}

export interface FunctionSettings {
  /** Its name on AWS: `service-stage-chargeCard`. */
  readonly name: string;
  /** Its environment in serverless.yml, the provider's included; plain values only, as text. */
  readonly environment: Readonly<Record<string, string>>;
  /** Its memory, in MB. */
  readonly memorySizeMb: number;
}
