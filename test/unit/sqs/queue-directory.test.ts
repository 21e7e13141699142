import { describe, expect, it, vi } from 'vitest';
import { ConfigurationError } from '../../../src/errors.ts';
import { QueueDirectory, type QueueDirectoryOptions } from '../../../src/sqs/queue-directory.ts';
import { deferred } from '../../support/deferred.ts';
import { settle } from '../../support/fake-timing.ts';

const url = (name: string) => `https://sqs.eu-west-1.amazonaws.com/1/${name}`;
const arn = (name: string) => `arn:aws:sqs:eu-west-1:1:${name}`;

/** An SQS that knows its queues by name. */
function setUp(options: Partial<QueueDirectoryOptions> = {}, existing: readonly string[] = []) {
  const queues = new Map<string, Readonly<Record<string, string>>>(existing.map((name) => [name, {}]));
  const lookedUp: string[] = [];
  const api = {
    findQueueUrl: vi.fn((name: string): Promise<string | undefined> => {
      lookedUp.push(name);
      return Promise.resolve(queues.has(name) ? url(name) : undefined);
    }),
    createQueue: vi.fn((name: string, attributes: Readonly<Record<string, string>>) => {
      queues.set(name, attributes);
      return Promise.resolve(url(name));
    }),
    queueAttributes: vi.fn(
      (queueUrl: string): Promise<Record<string, string>> => Promise.resolve({ QueueArn: arn(queueUrl.split('/').at(-1) ?? '') }),
    ),
    region: () => Promise.resolve('eu-west-1'),
  };
  const directory = new QueueDirectory({ api, prefix: 'durable', autoCreate: false, stepTimeoutSeconds: 60, ...options });
  return { directory, api, queues, lookedUp };
}

describe('queues that are given', () => {
  it('takes a literal URL as it is', async () => {
    const { directory, lookedUp } = setUp({ taskQueueUrl: url('t'), resultsQueueUrl: url('r') });
    expect(await directory.tasksQueueUrl('charge')).toBe(url('t'));
    expect(await directory.resultsQueueUrl()).toBe(url('r'));
    expect(lookedUp).toEqual([]);
  });

  it.each<[string, <T>(value: T) => T | Promise<T>]>([
    ['sync', (value) => value],
    ['async', (value) => Promise.resolve(value)],
  ])('asks a %s resolver once per token', async (_how, wrap) => {
    const taskQueueUrl = vi.fn((token: string) => wrap(url(`t-${token}`)));
    const resultsQueueUrl = vi.fn(() => wrap(url('r')));
    const { directory, lookedUp } = setUp({ taskQueueUrl, resultsQueueUrl });
    const tokens = ['a', 'b', 'a', 'results', 'a'];
    expect(await Promise.all(tokens.map((token) => directory.tasksQueueUrl(token)))).toEqual(tokens.map((token) => url(`t-${token}`)));
    expect([await directory.resultsQueueUrl(), await directory.resultsQueueUrl()]).toEqual([url('r'), url('r')]);
    expect(taskQueueUrl.mock.calls).toEqual([['a'], ['b'], ['results']]);
    expect(resultsQueueUrl).toHaveBeenCalledTimes(1);
    expect(lookedUp).toEqual([]);
  });

  it('asks again after a resolver failed, whether it threw or rejected', async () => {
    const resultsQueueUrl = vi
      .fn<() => string | Promise<string>>()
      .mockImplementationOnce(() => {
        throw new Error('threw');
      })
      .mockImplementationOnce(() => Promise.reject(new Error('rejected')))
      .mockImplementation(() => url('r'));
    const { directory } = setUp({ resultsQueueUrl });
    await expect(directory.resultsQueueUrl()).rejects.toThrow('threw');
    await expect(directory.resultsQueueUrl()).rejects.toThrow('rejected');
    expect(await directory.resultsQueueUrl()).toBe(url('r'));
  });

  it.each<[unknown, string]>([
    [undefined, 'nothing'],
    ['', 'an empty string'],
    ['orders', '"orders"'],
  ])('says so where a resolver gives %j, and asks again the next time', async (given, got) => {
    const resolver: () => string = vi.fn(() => url('q')).mockImplementationOnce(() => JSON.parse(JSON.stringify({ given })).given);
    const { directory } = setUp({ taskQueueUrl: resolver });
    const refusal = `expected taskQueueUrl("charge") to give the URL of a queue, got ${got}`;
    await expect(directory.tasksQueueUrl('charge')).rejects.toThrow(new ConfigurationError(refusal));
    expect(await directory.tasksQueueUrl('charge')).toBe(url('q'));
    const other = setUp({ resultsQueueUrl: () => JSON.parse(JSON.stringify({ given })).given });
    await expect(other.directory.resultsQueueUrl()).rejects.toThrow(`expected resultsQueueUrl() to give the URL of a queue, got ${got}`);
  });

  it('never creates them', async () => {
    const { directory, api } = setUp({ autoCreate: true, taskQueueUrl: () => url('t'), resultsQueueUrl: url('r') });
    await directory.tasksQueueUrl('charge');
    await directory.resultsQueueUrl();
    expect(api.findQueueUrl).not.toHaveBeenCalled();
    expect(api.createQueue).not.toHaveBeenCalled();
  });
});

describe('queues by name', () => {
  it('finds them under their names', async () => {
    const { directory } = setUp({ prefix: 'shop' }, ['shop-tasks-payments--charge_at_acme', 'shop-results']);
    expect(await directory.tasksQueueUrl('payments.charge@acme')).toBe(url('shop-tasks-payments--charge_at_acme'));
    expect(await directory.resultsQueueUrl()).toBe(url('shop-results'));
  });

  it('shares one look-up between callers that ask at the same time, and keeps it', async () => {
    const { directory, lookedUp } = setUp({}, ['durable-tasks-charge']);
    await Promise.all([directory.tasksQueueUrl('charge'), directory.tasksQueueUrl('charge')]);
    await directory.tasksQueueUrl('charge');
    expect(lookedUp).toEqual(['durable-tasks-charge']);
  });

  it('names a missing queue and its region, and looks again the next time', async () => {
    const { directory, queues, api } = setUp();
    await expect(directory.tasksQueueUrl('charge')).rejects.toMatchObject({
      name: 'QueueNotFoundError',
      queue: 'durable-tasks-charge',
      region: 'eu-west-1',
    });
    await expect(directory.resultsQueueUrl()).rejects.toMatchObject({ queue: 'durable-results' });
    expect(api.createQueue).not.toHaveBeenCalled();
    queues.set('durable-tasks-charge', {});
    expect(await directory.tasksQueueUrl('charge')).toBe(url('durable-tasks-charge'));
  });

  it('fails all callers of one look-up, and lets the next try again', async () => {
    const { directory, api } = setUp({}, ['durable-results']);
    const answer = deferred<string | undefined>();
    api.findQueueUrl.mockImplementationOnce(() => answer.promise);
    const both = Promise.allSettled([directory.resultsQueueUrl(), directory.resultsQueueUrl()]);
    answer.reject(new Error('throttled'));
    expect((await both).map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    expect(await directory.resultsQueueUrl()).toBe(url('durable-results'));
    expect(api.findQueueUrl).toHaveBeenCalledTimes(2);
  });

  it('refuses a token that has no queue name', async () => {
    await expect(setUp().directory.tasksQueueUrl('')).rejects.toThrow('expected a routing token');
  });
});

describe('FIFO queues', () => {
  it('FIFO queues end in .fifo, tasks and results each for themselves', async () => {
    const tasks = setUp({ fifo: { tasks: true, results: false } }, ['durable-tasks-charge.fifo', 'durable-results']);
    expect(await tasks.directory.tasksQueueUrl('charge')).toBe(url('durable-tasks-charge.fifo'));
    expect(await tasks.directory.resultsQueueUrl()).toBe(url('durable-results'));
    const results = setUp({ fifo: { tasks: false, results: true } }, ['durable-tasks-charge', 'durable-results.fifo']);
    expect(await results.directory.tasksQueueUrl('charge')).toBe(url('durable-tasks-charge'));
    expect(await results.directory.resultsQueueUrl()).toBe(url('durable-results.fifo'));
  });

  it('FIFO queues are found beside standard ones without an option', async () => {
    const { directory, lookedUp } = setUp({}, ['durable-tasks-charge.fifo', 'durable-tasks-mail', 'durable-results.fifo']);
    expect(await directory.tasksQueueUrl('charge')).toBe(url('durable-tasks-charge.fifo'));
    expect(await directory.tasksQueueUrl('mail')).toBe(url('durable-tasks-mail'));
    expect(await directory.findTasksQueueUrl('charge')).toBe(url('durable-tasks-charge.fifo'));
    expect(await directory.resultsQueueUrl()).toBe(url('durable-results.fifo'));
    // A standard queue costs no look-up more than it did.
    expect(lookedUp.filter((name) => name.includes('mail'))).toEqual(['durable-tasks-mail']);
  });

  it('a queue that is said to be FIFO is looked up as FIFO only', async () => {
    const { directory } = setUp({ fifo: { tasks: true, results: false } }, ['durable-tasks-charge']);
    await expect(directory.tasksQueueUrl('charge')).rejects.toMatchObject({ queue: 'durable-tasks-charge.fifo' });
    expect(await directory.findTasksQueueUrl('charge')).toBeUndefined();
  });

  it('autoCreate uses a FIFO queue that is there, and makes a standard one where there is none', async () => {
    const { directory, api } = setUp({ autoCreate: true }, ['durable-tasks-charge.fifo']);
    expect(await directory.tasksQueueUrl('charge')).toBe(url('durable-tasks-charge.fifo'));
    expect(api.createQueue).not.toHaveBeenCalled();
    expect(await directory.tasksQueueUrl('mail')).toBe(url('durable-tasks-mail'));
  });

  it('autoCreate makes the dead-letter and parked queues of a FIFO queue FIFO too', async () => {
    const { directory, queues } = setUp({ autoCreate: true, fifo: { tasks: true, results: true } });
    await directory.tasksQueueUrl('charge');
    await directory.resultsQueueUrl();
    expect([...queues.keys()]).toEqual([
      'durable-parked-charge.fifo',
      'durable-dead-letters-charge.fifo',
      'durable-tasks-charge.fifo',
      'durable-results-dead-letters.fifo',
      'durable-results.fifo',
    ]);
    expect(queues.get('durable-tasks-charge.fifo')?.['RedrivePolicy']).toContain('durable-dead-letters-charge.fifo');
  });
});

describe('the message about a missing queue', () => {
  const message = async (options: Partial<QueueDirectoryOptions>, existing: readonly string[] = [], of = 'payments.charge-card') => {
    const { directory } = setUp(options, existing);
    return directory.tasksQueueUrl(of).then(
      () => [],
      (error: Error) => error.message.split('\n'),
    );
  };
  const start = 'no SQS queue "shop-dev-tasks-payments--charge-card" in region eu-west-1: ';

  it('names the missing prefix first, where none was given', async () => {
    const [first] = await message({ prefixSource: 'default' });
    expect(first).toBe(
      'no SQS queue "durable-tasks-payments--charge-card" in region eu-west-1: no prefix was given, so it is "durable": ' +
        'give SqsTransport the prefix of serverless.yml, or set DURABLE_PREFIX',
    );
  });

  it('names prefix and region first, where nothing of the prefix is there', async () => {
    const lines = await message({ prefix: 'shop-dev' });
    expect(lines).toEqual([
      `${start}nothing of the prefix "shop-dev" is there: compare prefix and region with serverless.yml`,
      'Else: a service that is not deployed, another region, credentials of another account, or without sqs:GetQueueUrl on this queue. ' +
        'autoCreate makes queues that are missing, and taskQueueUrl and resultsQueueUrl take URLs.',
    ]);
  });

  it.each(['shop-dev-results', 'shop-dev-results.fifo'])('names the step first, where %s is there', async (results) => {
    const [first] = await message({ prefix: 'shop-dev' }, [results]);
    expect(first).toBe(
      `${start}queues of the prefix "shop-dev" are there, but none of this step: compare its name with the durableStep (or containerSteps) of ` +
        'serverless.yml, and deploy it',
    );
  });

  it('names the queues of that kind that are there, the nearest first, where they may be listed', async () => {
    const there = [
      'shop-dev-results',
      'shop-dev-tasks-stock--reserve',
      'shop-dev-tasks-payments--charge',
      'shop-dev-parked-payments--charge',
    ];
    const lines = await message({ prefix: 'shop-dev', queueNames: async () => there });
    expect(lines.at(-1)).toBe(
      'This SQS has shop-dev-tasks-payments--charge, shop-dev-tasks-stock--reserve. Is "shop-dev-tasks-payments--charge" meant?',
    );
    const none = await message({ queueNames: async () => [] });
    expect(none.at(-1)).toBe('This SQS has no queue at all.');
    const others = await message({ queueNames: async () => ['orders'] });
    expect(others.at(-1)).toBe('This SQS has no queue of that kind.');
  });

  it('shows ten names of many', async () => {
    const many = Array.from({ length: 12 }, (_, index) => `durable-tasks-step-${index}`);
    const lines = await message({ queueNames: async () => many });
    expect(lines.at(-1)).toMatch(/^This SQS has (durable-tasks-step-\d+(, )?){10} …\. Is/);
  });

  it('says what it can where the look-up for the message fails', async () => {
    const { directory, api } = setUp({ prefix: 'shop-dev' });
    api.findQueueUrl.mockResolvedValueOnce(undefined).mockResolvedValueOnce(undefined).mockRejectedValueOnce(new Error('throttled'));
    await expect(directory.tasksQueueUrl('payments.charge-card')).rejects.toThrow('nothing of the prefix');
  });
});

describe('autoCreate', () => {
  // What the queues are like is in test/unit/topology/all-queues.test.ts.
  it('creates the parked and the dead-letter queue before the tasks queue that redrives to them', async () => {
    const { directory, queues } = setUp({ autoCreate: true });
    expect(await directory.tasksQueueUrl('charge@acme')).toBe(url('durable-tasks-charge_at_acme'));
    expect([...queues].map(([name, { RedrivePolicy }]) => [name, RedrivePolicy && JSON.parse(RedrivePolicy).deadLetterTargetArn])).toEqual([
      ['durable-parked-charge_at_acme', undefined],
      ['durable-dead-letters-charge_at_acme', arn('durable-parked-charge_at_acme')],
      ['durable-tasks-charge_at_acme', arn('durable-dead-letters-charge_at_acme')],
    ]);
  });

  it('creates the dead-letter queue of the results queue before it', async () => {
    const { directory, queues } = setUp({ autoCreate: true, prefix: 'shop' });
    expect(await directory.resultsQueueUrl()).toBe(url('shop-results'));
    expect([...queues.keys()]).toEqual(['shop-results-dead-letters', 'shop-results']);
  });

  it('leaves alone what is there', async () => {
    const all = setUp({ autoCreate: true }, ['durable-tasks-charge', 'durable-results']);
    await all.directory.tasksQueueUrl('charge');
    await all.directory.resultsQueueUrl();
    expect(all.api.createQueue).not.toHaveBeenCalled();

    const some = setUp({ autoCreate: true }, ['durable-dead-letters-charge']);
    await some.directory.tasksQueueUrl('charge');
    expect(some.api.createQueue.mock.calls.map(([name]) => name)).toEqual(['durable-parked-charge', 'durable-tasks-charge']);
  });

  it('takes the URL that creation gives: somebody else may have been faster', async () => {
    const { directory, api } = setUp({ autoCreate: true });
    api.createQueue.mockImplementation((name) => Promise.resolve(url(`theirs-${name}`)));
    expect(await directory.resultsQueueUrl()).toBe(url('theirs-durable-results'));
  });

  it('a creation that failed halfway is not kept', async () => {
    const { directory, api, queues } = setUp({ autoCreate: true });
    api.queueAttributes.mockResolvedValueOnce({});
    await expect(directory.tasksQueueUrl('charge')).rejects.toMatchObject({ name: 'QueueNotFoundError', queue: 'durable-parked-charge' });
    expect([...queues.keys()]).toEqual(['durable-parked-charge']);
    expect(await directory.tasksQueueUrl('charge')).toBe(url('durable-tasks-charge'));
  });
});

describe('forget', () => {
  it('looks up anew what led nowhere, and only that', async () => {
    const { directory, lookedUp } = setUp({}, ['durable-tasks-a', 'durable-tasks-b', 'durable-results']);
    await Promise.all([directory.tasksQueueUrl('a'), directory.tasksQueueUrl('b'), directory.resultsQueueUrl()]);
    lookedUp.length = 0;
    directory.forget(url('durable-tasks-a'));
    directory.forget(url('durable-results'));
    directory.forget(url('never heard of'));
    await settle();
    await Promise.all([directory.tasksQueueUrl('a'), directory.tasksQueueUrl('b'), directory.resultsQueueUrl()]);
    expect(lookedUp).toEqual(['durable-tasks-a', 'durable-results']);
  });

  it('keeps a look-up that is under way, and bears one that has failed', async () => {
    const { directory, api } = setUp({}, ['durable-results']);
    const answer = deferred<string | undefined>();
    api.findQueueUrl.mockImplementationOnce(() => answer.promise);
    const found = directory.resultsQueueUrl();
    directory.forget(url('other'));
    answer.resolve(url('durable-results'));
    expect(await found).toBe(url('durable-results'));
    expect(await directory.resultsQueueUrl()).toBe(url('durable-results'));
    expect(api.findQueueUrl).toHaveBeenCalledTimes(1);

    const failing = setUp();
    const failed = failing.directory.resultsQueueUrl();
    failing.directory.forget(url('durable-results'));
    await expect(failed).rejects.toThrow('no SQS queue');
  });
});
