import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import type { DurableDeployment } from '../deployment.ts';
import type { AdminLambda, LambdaSettings } from './aws/admin-lambda.ts';
import type { AdminSqs } from './aws/admin-sqs.ts';

/** What a command gets of the deploy tool and of the world. Everything a command does goes through here, so tests need no deploy tool. */
export interface CommandContext {
  /** What serverless.yml says. @throws ConfigurationError where it is wrong */
  service(): DurableDeployment;
  /** What a function has besides its mappings. */
  functionSettings(functionKey: string): FunctionSettings;
  /** `custom.esbuild`, as it stands there. */
  bundlerSettings(): unknown;
  readonly region: string;
  readonly stage: string;
  readonly serviceDir: string;
  /** Options of the command line as the deploy tool parsed them; null or undefined where one was not given. */
  readonly options: Readonly<Record<string, unknown>>;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Writes to stdout what the command is about, line feeds included. */
  write(text: string): void;
  /** Writes to stderr what goes on meanwhile: progress, hints, warnings. */
  writeError(text: string): void;
  setExitCode(code: number): void;
  /** Asks a yes-or-no question; undefined where nobody sits at a terminal. */
  confirm(question: string): Promise<boolean | undefined>;
  openSqs(config: SQSClientConfig): AdminSqs;
  /** Undefined where the SDK's Lambda client is not installed. */
  openLambda(settings: LambdaSettings): AdminLambda | undefined;
  /** Credentials of the deploy tool, its profile option included; undefined: the SDK's own. */
  credentials(): SQSClientConfig['credentials'] | undefined;
  now(): number;
}

export interface FunctionSettings {
  /** Its name on AWS: `service-stage-chargeCard`. */
  readonly name: string;
  /** Its environment of serverless.yml, plain strings only, the provider's included. */
  readonly environment: Readonly<Record<string, string>>;
}
