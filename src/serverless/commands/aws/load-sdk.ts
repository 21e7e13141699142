import { existsSync, realpathSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

/**
 * Finds a client of the AWS SDK that only a command needs, so that this package does not depend on it: the service's
 * own, or the one that the deploy tool depends on. Undefined where neither has it.
 * @param load requires the package
 * @param toolFile the file that the deploy tool was started with
 */
export function loadSdk<Sdk>(load: (require: NodeJS.Require) => Sdk, serviceDir: string, toolFile: string | undefined): Sdk | undefined {
  // A tool that is installed globally is started through a link.
  const tool = toolFile === undefined || !existsSync(toolFile) ? [] : [realpathSync(toolFile)];
  for (const from of [join(serviceDir, 'package.json'), ...tool]) {
    try {
      return load(createRequire(from));
    } catch {
      // The next folder may have it.
    }
  }
  return undefined;
}
