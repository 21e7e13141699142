import { describe, expect, it, vi } from 'vitest';
import type { Framework } from '../../../src/serverless/framework.ts';
import { DurableSqsLambdaPlugin } from '../../../src/serverless/plugin.ts';

class ToolError extends Error {
  readonly code: string;
  constructor(message: string, code: string) {
    super(message);
    this.code = code;
  }
}

interface Given {
  readonly command: string;
  readonly step?: unknown;
  readonly custom?: Record<string, unknown>;
  readonly plugins?: unknown;
}

/** The deploy tool as far as the plugin sees it, and the plugin in it. */
function loaded({ command, step = 'charge', custom = {}, plugins = [] }: Given) {
  const charge = {
    name: 'shop-dev-charge',
    handler: 'charge.handler',
    events: [{ durableStep: step }] as unknown[],
    environment: { OWN: '1' } as Record<string, unknown>,
  };
  const events = vi.fn();
  const framework: Framework = {
    service: { provider: { name: 'aws', runtime: 'nodejs24.x' }, functions: { charge }, custom, plugins },
    serviceDir: '/nowhere',
    processedInput: { commands: command.split(' '), options: {} },
    configSchemaHandler: { defineFunctionEvent: events },
    classes: { Error: ToolError },
    getProvider: () => ({ getStage: () => 'dev', getRegion: () => 'eu-west-1', naming: { getStackName: () => 'shop-dev' } }),
  };
  const plugin = new DurableSqsLambdaPlugin(framework, { function: 'charge' });
  const run = async (hook: string) => plugin.hooks[hook]?.();
  return { plugin, charge, events, custom, run };
}

const LEAN = expect.objectContaining({ name: 'durable-lean-core' });

describe('the plugin', () => {
  it.each(['20.20.2', '22.11.0'])('refuses Node %s with what it needs, before anything is read', (version) => {
    vi.spyOn(process, 'versions', 'get').mockReturnValue({ ...process.versions, node: version });
    try {
      expect(() => loaded({ command: 'package' })).toThrow(`expected Node 22.12 or later, got ${version}`);
    } finally {
      vi.restoreAllMocks();
    }
  });

  it('registers its function events with the tool', () => {
    const { events } = loaded({ command: 'package' });
    expect(events.mock.calls.map(([provider, name]) => [provider, name])).toEqual([
      ['aws', 'durableStep'],
      ['aws', 'durableWorkflow'],
      ['aws', 'durableDeadLetters'],
      ['aws', 'durableEngine'],
    ]);
  });

  it('gives a packaged function its mapping and its environment beside its own', async () => {
    const { charge, run } = loaded({ command: 'package' });
    await run('initialize');
    expect(charge.events).toHaveLength(2);
    expect(charge.environment).toMatchObject({ OWN: '1', DURABLE_RESULTS_QUEUE_URL: { Ref: 'DurableResultsQueue' } });
  });

  it('gives a function under deploy function its environment, and neither events nor a role', async () => {
    const { charge, run } = loaded({ command: 'deploy function', custom: { durable: { perFunctionRoles: true } } });
    await run('initialize');
    expect(charge.environment).toMatchObject({ DURABLE_PREFIX: 'durable' });
    expect(charge.events).toHaveLength(1);
    expect(charge).not.toHaveProperty('role');
  });

  it('gives a function that is invoked locally plain values', async () => {
    const { charge, run } = loaded({ command: 'invoke local' });
    await run('initialize');
    expect(charge.environment).toMatchObject({ DURABLE_REPLAY: 'print', DURABLE_PREFIX: 'durable' });
    for (const value of Object.values(charge.environment)) expect(value).toBeTypeOf('string');
  });

  it('reports a mistake as an error of the deploy tool', async () => {
    const { run } = loaded({ command: 'package', step: { name: 'a', batchSize: 0 } });
    await expect(run('initialize')).rejects.toMatchObject({ constructor: ToolError, code: 'DURABLE_CONFIGURATION' });
  });

  it('ignores mistakes under a command that makes no template', async () => {
    const { run, charge } = loaded({ command: 'remove', step: { name: 'a', batchSize: 0 } });
    await run('initialize');
    expect(charge.environment).toEqual({ OWN: '1' });
  });

  describe.each(['package', 'deploy', 'deploy function', 'invoke local', 'durable local', 'durable queues'])(
    'the command %s',
    (command) => {
      it.each<[string, Omit<Given, 'command'>, string]>([
        ['its place before the bundler', { plugins: ['durable-sqs-lambda/serverless-plugin', 'serverless-esbuild'] }, 'swap the two lines'],
        ['custom.durabel', { custom: { durabel: {} } }, 'custom.durabel: expected custom.durable'],
        ['an empty durableStep', { step: null }, 'functions.charge.events[0].durableStep: expected the name of a step'],
      ])('refuses %s before the deploy tool validates the file', (_, given, message) => {
        const load = () => loaded({ command, ...given });
        expect(load).toThrow(ToolError);
        expect(load).toThrow(message);
      });
    },
  );

  it('leaves such mistakes alone under a command that does not read durable steps', () => {
    expect(() => loaded({ command: 'remove', step: null, custom: { durabel: {} } })).not.toThrow();
  });

  it.each([
    ['nothing', {}, { esbuild: { skipRebuild: true, plugins: [LEAN] } }],
    ['other things', { esbuild: { minify: true } }, { esbuild: { minify: true, skipRebuild: true, plugins: [LEAN] } }],
    ['its own', { esbuild: { skipRebuild: false, plugins: 'mine.js' } }, { esbuild: { skipRebuild: false, plugins: 'mine.js' } }],
  ])('makes the bundler build once and leave out unused code, where custom.esbuild has %s', (_, custom, expected) => {
    expect(loaded({ command: 'package', custom }).custom).toEqual(expected);
  });

  it('reads a service once, before it adds to it', async () => {
    const { plugin, run } = loaded({ command: 'package' });
    await run('initialize');
    expect(plugin.service().steps).toHaveLength(1);
  });
});
