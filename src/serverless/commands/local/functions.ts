import { durableFunctions } from '../../read-service.ts';
import { bundlerSettings } from './bundler-settings.ts';
import { LocalFunction, type LocalFunctionOptions } from './local-function.ts';

/**
 * Builds every function and puts it behind the mappings of its queues. Resolves when each has loaded, or was found not
 * to.
 */
export async function startFunctions(options: Omit<LocalFunctionOptions, 'build' | 'exclude'>): Promise<{ stop(): Promise<void> }> {
  const { context, service, report } = options;
  const { ignored, ...settings } = bundlerSettings(context.bundlerSettings(), context.serviceDir);
  for (const setting of ignored) report.warn(setting);
  const functions = durableFunctions(service).map((fn) => new LocalFunction(fn, { ...options, ...settings }));
  const stop = async () => {
    // Each waits for its long poll, so all at once.
    await Promise.all(functions.map((fn) => fn.stop()));
  };
  try {
    await Promise.all(functions.map((fn) => fn.start()));
  } catch (error) {
    await stop();
    throw error;
  }
  return { stop };
}
