import * as logsSdk from '@aws-sdk/client-cloudwatch-logs';
import { describe, expect, it } from 'vitest';
import { type AdminLogs, sdkAdminLogs } from '../../../../../src/serverless/commands/aws/admin-logs.ts';
import { logsCommand } from '../../../../../src/serverless/commands/logs/command.ts';
import { logLine } from '../../../../../src/serverless/commands/logs/log-line.ts';
import { logReader } from '../../../../../src/serverless/commands/logs/read-logs.ts';
import { startTime } from '../../../../../src/serverless/commands/logs/start-time.ts';
import { serviceOf, testContext } from '../context.ts';

const failed = JSON.stringify({ runId: 'r', stepId: 'r:0', attempt: 2, level: 'warn', message: 'step failed', timestamp: 't' });

describe('logLine', () => {
  it.each([
    ['as it is', failed],
    ["behind Lambda's prefix", `2026-11-28T22:40:00.123Z\t5f0c-1\tWARN\t${failed}\n`],
    ["inside Lambda's JSON format", JSON.stringify({ timestamp: 't', level: 'WARN', requestId: '5f0c-1', message: failed })],
  ])('reads JSON %s', (_where, event) => {
    expect(logLine('pay', 0, event)).toEqual({
      functionKey: 'pay',
      time: '1970-01-01T00:00:00.000Z',
      level: 'warn',
      message: 'step failed',
      fields: { runId: 'r', stepId: 'r:0', attempt: 2 },
    });
  });

  it('keeps plain text, with the level that Lambda gave it', () => {
    const event = '2026-11-28T22:40:00.123Z\t5f0c-1\tERROR\tInvoke Error\t{"errorType":"Error"}';
    expect(logLine('pay', 0, event)).toMatchObject({ level: 'error', message: 'Invoke Error\t{"errorType":"Error"}', fields: {} });
    expect(logLine('pay', 0, 'Task timed out after 3.00 seconds')).toMatchObject({ level: undefined });
  });

  it.each([
    'START RequestId: 5f0c Version: $LATEST',
    'END RequestId: 5f0c',
    'REPORT RequestId: 5f0c\tDuration: 2.21 ms',
    'INIT_START Runtime Version: nodejs:24.v1',
    '{"time":"t","type":"platform.report","record":{"status":"success"}}',
    '{"_aws":{"Timestamp":1},"Started":1}',
  ])('drops what is written about every invocation: %s', (event) => {
    expect(logLine('pay', 0, event)).toBeUndefined();
  });

  it.each(['{"time":"t","type":"platform.report","record":{"status":"timeout"}}', 'INIT_REPORT Init Duration: 9 ms\tStatus: timeout'])(
    'keeps what went wrong: %s',
    (event) => {
      expect(logLine('pay', 0, event)).toBeDefined();
    },
  );
});

describe('startTime', () => {
  it.each([
    ['30m', 1_000_000_000 - 1_800_000],
    ['2d', 1_000_000_000 - 2 * 86_400_000],
    ['2026-01-31', Date.UTC(2026, 0, 31)],
    ['2026-01-31T09:30', Date.UTC(2026, 0, 31, 9, 30)],
    ['2026-01-31T09:30:05+02:00', Date.UTC(2026, 0, 31, 7, 30, 5)],
  ])('reads %s', (text, at) => {
    expect(startTime(text, 1_000_000_000)).toBe(at);
  });

  it.each(['yesterday', '30', '-5m', '2026-13-01'])('refuses %s', (text) => {
    expect(() => startTime(text, 0)).toThrow(`--startTime: expected how long ago, such as 30m, 2h or 3d, or a date`);
  });
});

/** CloudWatch Logs with these events by log group; each call gives what was written so far. */
function logsOf(groups: Readonly<Record<string, { eventId: string; timestamp: number; message: string }[]>>) {
  const asked: { group: string; from: number; terms: readonly string[] }[] = [];
  const logs: AdminLogs = {
    async events(group, from, terms) {
      asked.push({ group, from, terms });
      return groups[group]?.filter(({ timestamp }) => timestamp >= from);
    },
    destroy() {},
  };
  return { logs, asked };
}

describe('logReader', () => {
  const query = { groups: new Map([['pay', '/pay']]), fields: {}, from: 0 };
  const event = (eventId: string, timestamp: number, message = eventId) => ({ eventId, timestamp, message });

  it('gives each event once, also one that shows up late', async () => {
    const events = [event('b', 20_000)];
    const read = logReader(logsOf({ '/pay': events }).logs, query);
    const messages = async () => (await read()).lines.map(({ message }) => message);
    expect(await messages()).toEqual(['b']);
    events.push(event('a', 11_000), event('c', 21_000));
    expect(await messages()).toEqual(['a', 'c']);
    expect(await messages()).toEqual([]);
  });

  it('tells events apart where an emulator gives them no id', async () => {
    const logs = { events: async () => [event('a', 1), event('b', 1)].map(({ eventId: _, ...rest }) => rest), destroy() {} };
    expect((await logReader(logs, query)()).lines).toHaveLength(2);
  });

  it('asks CloudWatch for the ids, and leaves out lines that have them elsewhere', async () => {
    const { logs, asked } = logsOf({ '/pay': [event('a', 1, failed), event('b', 2, '{"message":"r"}'), event('c', 3, 'about r')] });
    const { lines } = await logReader(logs, { ...query, fields: { runId: 'r' } })();
    expect(lines.map(({ message }) => message)).toEqual(['step failed']);
    expect(asked).toEqual([{ group: '/pay', from: 0, terms: ['r'] }]);
  });
});

describe('sls durable logs', () => {
  const service = serviceOf({ pay: 'pay', ship: 'ship' }, { functions: { api: { handler: 'api.handler' } }, containerSteps: ['render'] });
  const logGroups = { pay: '/pay', ship: '/ship', api: '/api' };
  const show = async (options: Record<string, unknown>, groups: Parameters<typeof logsOf>[0]) => {
    const { context, terminal } = testContext({ service, options, logGroups, openLogs: () => logsOf(groups).logs });
    await logsCommand.run(context);
    return terminal;
  };
  const groups = {
    '/pay': [{ eventId: '1', timestamp: 60_000, message: failed }],
    '/ship': [{ eventId: '1', timestamp: 59_000, message: 'hello' }],
    '/api': [{ eventId: '1', timestamp: 59_000, message: 'GET /' }],
  };

  it('shows what the functions of steps wrote, in the order of time', async () => {
    expect((await show({}, groups)).out).toBe(
      '1970-01-01T00:00:59.000Z  ship  -  hello\n' + '1970-01-01T00:01:00.000Z  pay  warn  step failed  runId=r  stepId=r:0  attempt=2\n',
    );
  });

  it('prints one object a line with --json', async () => {
    expect(JSON.parse((await show({ 'step-id': 'r:0', json: true }, groups)).out)).toEqual({
      time: '1970-01-01T00:01:00.000Z',
      function: 'pay',
      level: 'warn',
      message: 'step failed',
      runId: 'r',
      stepId: 'r:0',
      attempt: 2,
    });
  });

  it('shows one step, or any function of the service', async () => {
    expect((await show({ step: 'ship' }, groups)).out).toContain('hello');
    expect((await show({ function: 'api' }, groups)).out).toContain('GET /');
    await expect(show({ function: 'nope' }, groups)).rejects.toThrow('no function "nope" in this service; it has pay, ship, api');
    await expect(show({ step: 'render' }, groups)).rejects.toThrow('a worker in a container logs where it runs');
  });

  it('says how to look further back where there is nothing', async () => {
    expect((await show({ 'run-id': 'other' }, groups)).err).toBe('no lines; --startTime looks further back.\n');
  });

  it('names log groups that do not exist, and fails where none does', async () => {
    expect((await show({}, { '/pay': [] })).err).toContain('no log group /ship: its function was never invoked, or is not deployed.');
    await expect(show({}, {})).rejects.toThrow('no log group /pay, /ship: deploy the service first');
  });
});

describe('sdkAdminLogs', () => {
  /** CloudWatch's client on the answers of a test. */
  function logsAnswering(answer: (input: object) => object) {
    class Client extends logsSdk.CloudWatchLogsClient {
      constructor(config: logsSdk.CloudWatchLogsClientConfig) {
        super(config);
        this.middlewareStack.add(
          (_next) =>
            async ({ input }) => ({ response: {}, output: { $metadata: {}, ...answer({ ...input }) } }),
          { step: 'initialize', priority: 'high' },
        );
      }
    }
    return sdkAdminLogs({ ...logsSdk, CloudWatchLogsClient: Client }, { region: 'eu-central-1' });
  }

  it('reads all pages, an empty one too, and filters by the ids that need no quoting', async () => {
    const asked: object[] = [];
    const pages = [{ events: [{ eventId: 'a' }], nextToken: '1' }, { nextToken: '2' }, { events: [{ eventId: 'b' }] }];
    const logs = logsAnswering((input) => pages[asked.push(input) - 1] ?? {});
    expect(await logs.events('/pay', 5, ['order-1', 'say "hi"'])).toEqual([{ eventId: 'a' }, { eventId: 'b' }]);
    const input = { logGroupName: '/pay', startTime: 5, filterPattern: '"order-1"' };
    expect(asked).toEqual([input, { ...input, nextToken: '1' }, { ...input, nextToken: '2' }]);
  });

  it('gives undefined for a group that does not exist, and names what was refused', async () => {
    const failing = (name: string) =>
      logsAnswering(() => {
        throw Object.assign(new Error('no'), { name });
      });
    expect(await failing('ResourceNotFoundException').events('/pay', 0, [])).toBeUndefined();
    await expect(failing('AccessDeniedException').events('/pay', 0, [])).rejects.toThrow(
      'CloudWatch Logs FilterLogEvents of /pay failed: AccessDeniedException: no',
    );
  });
});
