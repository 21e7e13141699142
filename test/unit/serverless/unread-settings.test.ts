import { describe, expect, it } from 'vitest';
import { unreadSettings } from '../../../src/serverless/config/unread-settings.ts';

const step = { durableStep: 'pay' };
const withEvents = (events: unknown) => ({ functions: { pay: { handler: 'pay.handler', events } } });

describe('unreadSettings', () => {
  it.each<[string, object]>([
    ['a service without durable steps', { custom: { esbuild: {} }, ...withEvents([{ sqs: 'arn:aws:sqs:eu-west-1:1:q' }]) }],
    ['settings of other tools', { custom: { database: {}, disable: 1, usable: 2, mutable: 3, curable: 4 }, ...withEvents([step]) }],
    ['a key like ours beside ours', { custom: { durable: {}, durables: {} } }],
    ['an empty custom.durable', { custom: { durable: null }, ...withEvents([step, { durableDeadLetters: true }]) }],
    ['the bundler in front', { plugins: ['serverless-esbuild', 'durable-sqs-lambda/serverless-plugin'], ...withEvents([step]) }],
    ['no bundler', { plugins: ['durable-sqs-lambda/serverless-plugin', 'serverless-offline'], ...withEvents([step]) }],
    ['an order that does not matter yet', { plugins: ['durable-sqs-lambda/serverless-plugin', 'serverless-esbuild'] }],
    ['a file that the deploy tool refuses anyway', { custom: 'x', functions: { pay: null, ship: { events: [null, 'schedule'] } } }],
  ])('finds nothing in %s', (_, service) => {
    expect(unreadSettings(service)).toEqual([]);
  });

  it.each(['durabel', 'Durable', 'durables', 'durabl', 'DURABLE', 'durable-sqs-lambda', 'durableSqsLambda'])('finds custom.%s', (key) => {
    expect(unreadSettings({ custom: { [key]: { prefix: 'shop' } } })).toEqual([
      `custom.${key}: expected custom.durable, got a key that nothing reads; rename it (if it is another plugin's, add "durable: {}" beside it)`,
    ]);
  });

  it.each<[unknown, string]>([
    [
      [{ durableStep: null }],
      'functions.pay.events[0].durableStep: expected the name of a step, or an object with its name, got nothing; write "- durableStep: <name of the step>"',
    ],
    [
      [step, { durableStep: null, name: 'refund', fifo: true }],
      'functions.pay.events[1].durableStep: expected the name of a step, or an object with its name, got nothing; write "- durableStep: <name of the step>"; or indent name, fifo below it, by four spaces more than the dash',
    ],
    [
      [{ durableDeadLetters: undefined }],
      'functions.pay.events[0].durableDeadLetters: expected true, or an object of settings, got nothing; write "- durableDeadLetters: true"',
    ],
    [
      [{ durablestep: 'pay' }],
      'functions.pay.events[0].durablestep: expected durableStep, got an event that nobody knows; correct its spelling',
    ],
    [
      [{ durableStpe: 'pay' }],
      'functions.pay.events[0].durableStpe: expected durableStep, got an event that nobody knows; correct its spelling',
    ],
    [
      [{ 'durable-dead-letter': true }],
      'functions.pay.events[0].durable-dead-letter: expected durableDeadLetters, got an event that nobody knows; correct its spelling',
    ],
    [{ durableStep: 'pay' }, 'functions.pay.events: expected a list, got an object; write "- " before durableStep'],
  ])('finds the events %j', (events, expected) => {
    expect(unreadSettings(withEvents(events))).toEqual([expected]);
    // Functions may stand in several files: the deploy tool merges the list of them later.
    const { functions } = withEvents(events);
    expect(unreadSettings({ functions: [{ other: {} }, functions] })).toEqual([expected]);
  });

  it('finds an event beside the list of events', () => {
    expect(unreadSettings({ functions: { pay: { handler: 'pay.handler', durableStep: 'pay' } } })).toEqual([
      'functions.pay.durableStep: expected it in the list of events, got it beside them; move it to functions.pay.events, as "- durableStep: …"',
    ]);
  });

  it.each<[string, unknown]>([
    ['a list', ['./node_modules/durable-sqs-lambda/serverless-plugin', 'serverless-esbuild']],
    ['an object', { modules: ['./node_modules/durable-sqs-lambda/serverless-plugin', 'serverless-esbuild'] }],
  ])('finds the plugin in front of its bundler, in %s of plugins', (_, plugins) => {
    expect(unreadSettings({ plugins, ...withEvents([step]) })).toEqual([
      'plugins: expected serverless-esbuild before ./node_modules/durable-sqs-lambda/serverless-plugin, got it after; swap the two lines',
    ]);
  });
});
