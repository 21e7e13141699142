import { readFile } from 'node:fs/promises';
import { cpus, release, totalmem, type } from 'node:os';
import type { Machine } from './model.ts';

/** The packages whose speed is in the figures. */
const PACKAGES = [
  '@dudousxd/nestjs-durable-core',
  '@dudousxd/nestjs-durable-transport-sqs',
  '@aws-sdk/client-sqs',
  '@aws-lambda-powertools/batch',
  '@middy/core',
  '@middy/sqs-partial-batch-failure',
  'sqs-consumer',
  'fauxqs',
  'esbuild',
];

export function machine(): Machine {
  const cores = cpus();
  return {
    cpu: cores[0]?.model.trim() ?? 'unknown',
    cores: cores.length,
    memoryGb: totalmem() / 1024 ** 3,
    os: `${type()} ${release()}`,
    node: process.versions.node,
  };
}

export async function versions(): Promise<Record<string, string>> {
  const root = new URL('../../', import.meta.url);
  const runtime = await versionIn(new URL('test/runtime/lambda-runtime/node_modules/aws-lambda-ric/package.json', root)).catch(
    () => 'not installed',
  );
  const found = await Promise.all(
    PACKAGES.map(async (name) => [name, await versionIn(new URL(`node_modules/${name}/package.json`, root))] as const),
  );
  return { 'durable-sqs-lambda': await versionIn(new URL('package.json', root)), ...Object.fromEntries(found), 'aws-lambda-ric': runtime };
}

async function versionIn(file: URL): Promise<string> {
  const manifest: unknown = JSON.parse(await readFile(file, 'utf8'));
  const version: unknown = typeof manifest === 'object' && manifest !== null ? Reflect.get(manifest, 'version') : undefined;
  return typeof version === 'string' ? version : 'unknown';
}
