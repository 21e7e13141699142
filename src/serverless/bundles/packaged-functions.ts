import { existsSync } from 'node:fs';
import { resolve } from 'node:path';
import { entriesOf } from '../config/section.ts';
import type { DurableDeployment } from '../deployment.ts';
import type { FrameworkFunction, FrameworkService } from '../framework.ts';
import { replayEnvironment } from '../invoke-local.ts';
import { durableFunctions } from '../read-service.ts';
import type { PackagedFunction } from './load-check.ts';

/** The deploy tool's own default of `memorySize`. */
export const DEFAULT_MEMORY_MB = 1_024;

/**
 * Stands for what only CloudFormation knows. A URL, since that is what such variables hold more often than anything
 * else.
 */
const UNKNOWN = 'https://known-when-deployed.invalid/';

/**
 * The durable functions that were packaged by now. A function whose code is no archive (an image) is not among them.
 */
export function packagedFunctions(
  service: FrameworkService,
  deployment: DurableDeployment,
  place: { readonly serviceDir: string; readonly region: string },
): PackagedFunction[] {
  return durableFunctions(deployment).flatMap(({ functionKey, handler, runtime }) => {
    const fn = service.functions[functionKey];
    const path = entriesOf(fn?.['package'])['artifact'] ?? entriesOf(service['package'])['artifact'];
    if (fn === undefined || typeof path !== 'string') return [];
    const artifact = resolve(place.serviceDir, path);
    if (!existsSync(artifact)) return [];
    const memorySizeMb = Number(fn['memorySize'] ?? service.provider['memorySize'] ?? DEFAULT_MEMORY_MB);
    const layers = fn['layers'] ?? service.provider['layers'];
    return [
      {
        functionKey,
        handler,
        runtime,
        memorySizeMb,
        artifact,
        hasLayers: Array.isArray(layers) && layers.length > 0,
        environment: {
          ...lambdaEnvironment({ ...place, name: fn.name, runtime, memorySizeMb }),
          ...plainValues({ ...entriesOf(service.provider['environment']), ...environmentOf(fn) }),
          ...plainValues(replayEnvironment(deployment, 'print', {})),
          // On Lambda nobody replays.
          DURABLE_REPLAY: '',
        },
      },
    ];
  });
}

function environmentOf(fn: FrameworkFunction): Readonly<Record<string, unknown>> {
  return fn.environment ?? {};
}

function plainValues(environment: Readonly<Record<string, unknown>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(environment).map(([name, value]) => [name, typeof value === 'object' && value !== null ? UNKNOWN : String(value)]),
  );
}

/**
 * What Lambda itself sets, as far as a module may read it while it loads. Nothing of this process: its credentials
 * least of all.
 */
function lambdaEnvironment({
  region,
  name,
  runtime,
  memorySizeMb,
}: {
  region: string;
  name: string;
  runtime: string;
  memorySizeMb: number;
}) {
  return {
    ...inherited('PATH'),
    // Node itself needs it on Windows.
    ...inherited('SystemRoot'),
    TZ: ':UTC',
    LANG: 'en_US.UTF-8',
    AWS_REGION: region,
    AWS_DEFAULT_REGION: region,
    AWS_EXECUTION_ENV: `AWS_Lambda_${runtime}`,
    AWS_LAMBDA_FUNCTION_NAME: name,
    AWS_LAMBDA_FUNCTION_VERSION: '$LATEST',
    AWS_LAMBDA_FUNCTION_MEMORY_SIZE: String(memorySizeMb),
    // No credentials of the machine that packages, where that is one of AWS.
    AWS_EC2_METADATA_DISABLED: 'true',
  };
}

function inherited(name: string): Record<string, string> {
  const value = process.env[name];
  return value === undefined ? {} : { [name]: value };
}
