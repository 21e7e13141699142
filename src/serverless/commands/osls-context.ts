import { createInterface } from 'node:readline/promises';
import type { SQSClientConfig } from '@aws-sdk/client-sqs';
import { isRecord } from '../../wire/shape.ts';
import { esbuildSettings } from '../bundles/esbuild-settings.ts';
import { DEFAULT_MEMORY_MB } from '../bundles/packaged-functions.ts';
import type { DurableDeployment } from '../deployment.ts';
import { loadEventsSdk, sdkAdminEvents } from './aws/admin-events.ts';
import { loadLambdaSdk, sdkAdminLambda } from './aws/admin-lambda.ts';
import { loadLogsSdk, sdkAdminLogs } from './aws/admin-logs.ts';
import { sdkAdminSqs } from './aws/admin-sqs.ts';
import { loadCloudFormationSdk, sdkAdminStack } from './aws/admin-stack.ts';
import { loadS3Sdk } from './aws/template-source.ts';
import type { CommandContext } from './context.ts';
import { printable } from './output/text.ts';

/** The little of the deploy tool that the commands use. */
export interface CommandHost {
  readonly serviceDir?: string | undefined;
  readonly service: { readonly functions: Readonly<Record<string, unknown>>; readonly provider: unknown; readonly custom?: unknown };
  getProvider(name: 'aws'): CommandProvider;
}

export interface CommandProvider {
  getRegion(): string;
  getStage(): string;
  readonly naming: { getStackName(): string };
  getAwsSdkV3CredentialsProvider?(): SQSClientConfig['credentials'];
}

/** The context of a command that the deploy tool runs. */
export function oslsContext(
  host: CommandHost,
  options: Readonly<Record<string, unknown>>,
  service: () => DurableDeployment,
): CommandContext {
  const provider = () => host.getProvider('aws');
  const serviceDir = host.serviceDir ?? process.cwd();
  // Bound now: `sls durable local --json` replaces `process.stdout.write` later.
  const write = process.stdout.write.bind(process.stdout);
  const credentials = () => provider().getAwsSdkV3CredentialsProvider?.();
  return {
    service,
    functionSettings: (functionKey) => functionSettings(host, functionKey),
    logGroups: () => logGroups(host),
    bundlerSettings: () => esbuildSettings(isRecord(host.service.custom) ? host.service.custom['esbuild'] : undefined, serviceDir, host),
    get region() {
      return provider().getRegion();
    },
    get stage() {
      return provider().getStage();
    },
    get stackName() {
      return provider().naming.getStackName();
    },
    serviceDir,
    options,
    env: process.env,
    columns: process.stdout.isTTY ? process.stdout.columns : undefined,
    write: (text) => void write(printable(text)),
    writeError: (text) => void process.stderr.write(printable(text)),
    setExitCode: (code) => {
      process.exitCode = code;
    },
    confirm,
    openSqs: sdkAdminSqs,
    openLambda: (settings) => {
      const sdk = loadLambdaSdk(serviceDir, process.argv[1]);
      return sdk === undefined ? undefined : sdkAdminLambda(sdk, settings);
    },
    openLogs: (settings) => {
      const sdk = loadLogsSdk(serviceDir, process.argv[1]);
      return sdk === undefined ? undefined : sdkAdminLogs(sdk, settings);
    },
    openEvents: (settings) => {
      const sdk = loadEventsSdk(serviceDir, process.argv[1]);
      return sdk === undefined ? undefined : sdkAdminEvents(sdk, settings);
    },
    openStack: (settings) => {
      const sdk = loadCloudFormationSdk(serviceDir, process.argv[1]);
      return sdk === undefined ? undefined : sdkAdminStack(sdk, loadS3Sdk(serviceDir, process.argv[1]), settings);
    },
    credentials,
    now: Date.now,
  };
}

function functionSettings({ service }: CommandHost, functionKey: string) {
  const entry = service.functions[functionKey];
  const fn = isRecord(entry) ? entry : {};
  const provider = isRecord(service.provider) ? service.provider : {};
  return {
    name: typeof fn['name'] === 'string' ? fn['name'] : functionKey,
    environment: { ...plainStrings(provider['environment']), ...plainStrings(fn['environment']) },
    memorySizeMb: Number(fn['memorySize'] ?? provider['memorySize'] ?? DEFAULT_MEMORY_MB),
  };
}

function logGroups(host: CommandHost): ReadonlyMap<string, string> {
  const shared = logGroupIn(recordIn(recordIn(host.service.provider, 'logs'), 'lambda'));
  const groupOf = (key: string, fn: unknown) =>
    logGroupIn(recordIn(fn, 'logs')) ?? shared ?? `/aws/lambda/${functionSettings(host, key).name}`;
  return new Map(Object.entries(host.service.functions).map(([key, fn]) => [key, groupOf(key, fn)]));
}

function logGroupIn(logs: unknown): string | undefined {
  const group = isRecord(logs) ? logs['logGroup'] : undefined;
  return typeof group === 'string' ? group : undefined;
}

function recordIn(value: unknown, key: string): unknown {
  return isRecord(value) ? value[key] : undefined;
}

/** Numbers and booleans become text, as when deployed. References to resources have no value on this machine. */
function plainStrings(environment: unknown): Record<string, string> {
  if (!isRecord(environment)) return {};
  return Object.fromEntries(
    Object.entries(environment).flatMap(([name, value]) =>
      typeof value === 'string' || typeof value === 'number' || typeof value === 'boolean' ? [[name, String(value)]] : [],
    ),
  );
}

async function confirm(question: string): Promise<boolean | undefined> {
  if (!process.stdin.isTTY) return undefined;
  const terminal = createInterface({ input: process.stdin, output: process.stderr });
  try {
    return /^y(es)?$/i.test((await terminal.question(`${question} [y/N] `)).trim());
  } finally {
    terminal.close();
  }
}
