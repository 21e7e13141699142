import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { entriesOf } from '../config/section.ts';
import { BUNDLER, pluginNames } from '../config/unread-settings.ts';
import type { DurableDeployment } from '../deployment.ts';
import type { FrameworkService } from '../framework.ts';
import { durableFunctions } from '../read-service.ts';

/** Extensions of the source file that a `handler` of serverless.yml names, in the order of the search. */
export const SOURCE_EXTENSIONS = ['.ts', '.mts', '.cts', '.tsx', '.js', '.jsx', '.mjs', '.cjs'];

/** The source file that `handlers/charge-card.handler` names; undefined where there is none. */
export function sourceFileOf(serviceDir: string, handler: string): string | undefined {
  const base = join(serviceDir, handler.slice(0, handler.lastIndexOf('.')));
  return SOURCE_EXTENSIONS.map((extension) => `${base}${extension}`).find((path) => existsSync(path));
}

/** What to say of a function without a source file. */
export function noSourceFile(functionKey: string, handler: string): string {
  const base = handler.slice(0, handler.lastIndexOf('.'));
  return `functions.${functionKey}.handler: expected a file ${base}{${SOURCE_EXTENSIONS.join(',')}}, found none; correct the path`;
}

/**
 * Durable functions that the bundler would not find: it names neither the file nor the mistake.
 * @returns one line per mistake
 */
export function missingHandlers(service: FrameworkService, deployment: DurableDeployment, serviceDir: string): string[] {
  if (!pluginNames(service.plugins).includes(BUNDLER)) return [];
  return (
    durableFunctions(deployment)
      .filter(({ functionKey }) => entriesOf(service.functions[functionKey]?.['package'])['artifact'] === undefined)
      // The bundler takes a folder for the index file in it.
      .filter(
        ({ handler }) =>
          sourceFileOf(serviceDir, handler) === undefined && !existsSync(join(serviceDir, handler.slice(0, handler.lastIndexOf('.')))),
      )
      .map(({ functionKey, handler }) => noSourceFile(functionKey, handler))
  );
}
