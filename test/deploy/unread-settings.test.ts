import { describe, expect, it } from 'vitest';
import { fixture, sls } from './sls.ts';

describe('settings that nobody would read', () => {
  it.each(['package', 'invoke local -f charge', 'durable local --port 0'])('sls %s names each, and its fix', async (command) => {
    const { code, stdout, stderr } = await sls(fixture('unread'), command.split(' '));
    expect(code).toBe(1);
    expect(stdout + stderr).toContain(
      [
        'serverless.yml has 3 mistakes in its durable steps:',
        '  - plugins: expected serverless-esbuild before durable-sqs-lambda/serverless-plugin, got it after; swap the two lines',
        '  - custom.durabel: expected custom.durable, got a key that nothing reads; rename it (if it is another plugin\'s, add "durable: {}" beside it)',
        '  - functions.charge.events[1].durableStep: expected the name of a step, or an object with its name, got nothing; write "- durableStep: <name of the step>"',
      ].join('\n'),
    );
  });
});
