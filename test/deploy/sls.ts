import { spawn } from 'node:child_process';
import { readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { RegoEngine, TemplateFile } from '@aws/cloudformation-validate';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const SLS = join(root, 'node_modules/serverless/bin/serverless.js');

export interface Run {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
  readonly seconds: number;
}

export function fixture(name: string): string {
  return join(root, 'test/fixtures/services', name);
}

/** Runs the deploy tool as a user without AWS credentials does. A process that hangs is killed and has no exit code. */
export function sls(
  serviceDir: string,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  timeoutMs = 60_000,
): Promise<Run> {
  const inherited = Object.entries(process.env).filter(([name]) => !/^(AWS|DURABLE|VITEST|NODE)_/.test(name));
  const started = performance.now();
  const child = spawn(process.execPath, [SLS, ...args], {
    cwd: serviceDir,
    env: { ...Object.fromEntries(inherited), AWS_EC2_METADATA_DISABLED: 'true', NO_COLOR: '1', ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
    timeout: timeoutMs,
    killSignal: 'SIGKILL',
  });
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output.stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    output.stderr += text;
  });
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('close', (code) => resolve({ code, ...output, seconds: (performance.now() - started) / 1_000 }));
  });
}

/** Runs `sls package`, with nothing left of an earlier one. */
export function packaged(serviceDir: string): Promise<Run> {
  rmSync(join(serviceDir, '.serverless'), { recursive: true, force: true });
  return sls(serviceDir, ['package']);
}

/** The template that `package` made of a service. */
export interface PackagedTemplate {
  readonly Resources: Readonly<Record<string, PackagedResource>>;
  readonly Outputs: Readonly<Record<string, { readonly Value: unknown }>>;
}

export interface PackagedResource {
  readonly Type: string;
  readonly DependsOn?: readonly string[];
  readonly Properties: Readonly<Record<string, unknown>>;
}

export function templatePath(serviceDir: string): string {
  return join(serviceDir, '.serverless/cloudformation-template-update-stack.json');
}

export function templateOf(serviceDir: string): PackagedTemplate {
  return JSON.parse(readFileSync(templatePath(serviceDir), 'utf8'));
}

/** What the validator of CloudFormation finds in strict mode, beyond information, as `rule logical-id`. */
export function findingsIn(serviceDir: string): string[] {
  const engine = new RegoEngine();
  try {
    const { diagnostics } = engine.validateStandard(new TemplateFile(templatePath(serviceDir)), { strict: true });
    return diagnostics
      .filter(({ severity }) => String(severity).toUpperCase() !== 'INFO')
      .map(({ ruleId, entity }) => `${ruleId} ${entity?.logicalId}`)
      .sort();
  } finally {
    engine.free();
  }
}

/** The one resource that a test is about. */
export function resourceOf({ Resources }: PackagedTemplate, logicalId: string): PackagedResource {
  const resource = Resources[logicalId];
  if (resource === undefined) throw new Error(`expected a resource ${logicalId}, got ${Object.keys(Resources).join(', ')}`);
  return resource;
}

/** The mapping of the queue with a logical id. */
export function mappingOf({ Resources }: PackagedTemplate, queueId: string): PackagedResource {
  const mapping = Object.values(Resources).find(
    ({ Type, Properties }) =>
      Type === 'AWS::Lambda::EventSourceMapping' &&
      JSON.stringify(Properties['EventSourceArn']) === JSON.stringify({ 'Fn::GetAtt': [queueId, 'Arn'] }),
  );
  if (mapping === undefined) throw new Error(`expected a mapping of ${queueId}, got none`);
  return mapping;
}

const DIRECTORY_ENTRY = Buffer.from('PK\x01\x02', 'latin1');

/** CRC-32 of each file of an archive, by its name, as the archive's directory has it. */
export function checksumsIn(archive: string): ReadonlyMap<string, number> {
  const bytes = readFileSync(archive);
  const checksums = new Map<string, number>();
  for (let at = bytes.indexOf(DIRECTORY_ENTRY); at >= 0; at = bytes.indexOf(DIRECTORY_ENTRY, at + 1)) {
    checksums.set(bytes.toString('utf8', at + 46, at + 46 + bytes.readUInt16LE(at + 28)), bytes.readUInt32LE(at + 16));
  }
  return checksums;
}
