import { describe, expect, it } from 'vitest';
import { mappedQueues } from '../../../../../src/serverless/commands/local/mapped-queues.ts';
import { readDurableService } from '../../../../../src/serverless/read-service.ts';

function service(durable: object, durableEngine: unknown = true) {
  return readDurableService({
    custom: { durable: { prefix: 'shop', ...durable } },
    functions: {
      engine: { handler: 'engine.handler', events: [{ durableEngine }] },
      charge: { handler: 'charge.handler', events: [{ durableStep: { name: 'pay', batchSize: 3 } }] },
      letters: { handler: 'letters.handler', events: [{ durableDeadLetters: true }] },
    },
  });
}

describe('mappedQueues', () => {
  it("the engine's function reads results, starts and wake-ups, by the settings of its event", () => {
    const settings = { batchSize: 5, maximumConcurrency: 4, enabled: true, brings: 'answers' };
    expect(mappedQueues(service({ startRuns: true }, { batchSize: 5, maximumConcurrency: 4 }), 'engine')).toEqual([
      { ...settings, queueName: 'shop-results', source: 'results' },
      { ...settings, queueName: 'shop-start-run', source: 'starts' },
      { ...settings, queueName: 'shop-wake-ups', source: 'wake-ups' },
    ]);
  });

  it('a FIFO results queue is read by its name, and no starts where the service takes none', () => {
    const names = mappedQueues(service({ resultsQueue: { fifo: true } }), 'engine').map(({ queueName }) => queueName);
    expect(names).toEqual(['shop-results.fifo', 'shop-wake-ups']);
  });

  it("a step's function reads its tasks, and the dead-letter function every dead-letter queue", () => {
    expect(mappedQueues(service({}), 'charge')).toMatchObject([
      { queueName: 'shop-tasks-pay', source: 'pay', brings: 'tasks', batchSize: 3 },
    ]);
    expect(mappedQueues(service({}), 'letters')).toMatchObject([
      { queueName: 'shop-dead-letters-pay', source: 'pay (dead letters)', brings: 'dead letters' },
    ]);
  });
});
