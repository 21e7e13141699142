import { describe, expect, it } from 'vitest';
import { lambdaContext } from '../../../src/local/lambda-context.ts';

const START = Date.UTC(2026, 10, 23, 12);

describe('lambdaContext', () => {
  it('has what Lambda puts in', () => {
    const context = lambdaContext({ functionName: 'charge', timeoutMs: 3_000 }, () => START);
    expect(context).toEqual({
      awsRequestId: expect.stringMatching(/^[0-9a-f]{8}-([0-9a-f]{4}-){3}[0-9a-f]{12}$/),
      callbackWaitsForEmptyEventLoop: true,
      functionName: 'charge',
      functionVersion: '$LATEST',
      invokedFunctionArn: 'arn:aws:lambda:us-east-1:000000000000:function:charge',
      logGroupName: '/aws/lambda/charge',
      logStreamName: expect.stringMatching(/^2026\/11\/23\/\[\$LATEST\][0-9a-f]{32}$/),
      memoryLimitInMB: '128',
      getRemainingTimeInMillis: expect.any(Function),
      done: expect.any(Function),
      fail: expect.any(Function),
      succeed: expect.any(Function),
    });
  });

  it('takes what it is given', () => {
    const given = { functionName: 'f', timeoutMs: 1, requestId: 'r', memoryLimitInMB: 512, region: 'eu-west-1', accountId: '123456789012' };
    const context = lambdaContext(given, () => START);
    expect(context.awsRequestId).toBe('r');
    expect(context.memoryLimitInMB).toBe('512');
    expect(context.invokedFunctionArn).toBe('arn:aws:lambda:eu-west-1:123456789012:function:f');
  });

  it('counts the remaining time down to zero', () => {
    let now = START;
    const context = lambdaContext({ functionName: 'f', timeoutMs: 3_000 }, () => now);
    expect(context.getRemainingTimeInMillis()).toBe(3_000);
    now += 2_999;
    expect(context.getRemainingTimeInMillis()).toBe(1);
    now += 10;
    expect(context.getRemainingTimeInMillis()).toBe(0);
  });

  it.each(['done', 'fail', 'succeed'] as const)('%s is gone', (name) => {
    const context = lambdaContext({ functionName: 'f', timeoutMs: 1 });
    expect(() => Reflect.apply(context[name], context, [])).toThrow(`context.${name} does not exist`);
  });
});
